"""Settings of `sim2real advise`; as in `sim2real.configs`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class AdviseConfig:
    """Say what to transfer and how, with the numbers behind it, and which photographs to label next."""

    model: tuple[Path, ...]
    """run folders of pretrain or finetune to compare, of one rig"""
    real: Path
    """folder with photographs; labels.csv in it is needed for --frames"""
    out: Path
    """new folder for advice.json and picks.png"""
    frames: int = 0
    """labelled photographs to use, drawn by seed from the fitting side of the rig's split; 0: no label is read"""
    pick: int = 5
    """how many photographs to propose for labelling"""
    unlabelled: Path | None = None
    """folder with more photographs to choose from, without labels"""
    simulated: int = 64
    """simulated frames to compare the photographs with"""
    seed: int = 0
    """which frames, and everything that is drawn"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    randomization: str | None = None
    """preset for the simulated frames; default: the rig's own choice"""
    renderer: Literal["auto", "cpu", "gpu", "pybullet"] = "auto"
    """what draws those frames: auto is the GPU when there is one, else the CPU"""
    threads: int = 0
    """threads on the CPU; 0: half the cores"""
