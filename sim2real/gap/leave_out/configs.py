"""Settings of `sim2real leave-out`; as in `sim2real.configs`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sim2real.configs import PretrainConfig


@dataclass(frozen=True)
class LeaveOutConfig:
    """Pretrain with one group of randomization axes held at nominal at a time; rank them by what real error gains."""

    rig: str
    """name of a shipped rig, or path of a rig's TOML file"""
    real: Path
    """folder with photographs and labels.csv"""
    out: Path
    """folder for models, scores and leave_out.json"""
    axes: tuple[str, ...] = ()
    """groups of axes (a wrong name lists them) or single fields such as sensor.noise; default: all groups that vary"""
    frames: int = PretrainConfig.frames
    """simulated frames of each pretraining"""
    seeds: int = 3
    """pretrainings of each, which differ in frames and weights"""
    photographs: Literal["all", "fitting-side"] = "all"
    """which are scored; fitting-side: so that the held-out ones do not decide what is drawn"""
    held_out: bool = False
    """the folder is of the held-out simulation, not of photographs"""
    backbone: str = PretrainConfig.backbone
    """timm name of the image encoder"""
    batch_size: int = PretrainConfig.batch_size
    """frames a step"""
    randomization: str | None = None
    """preset name or TOML file; default: the rig's own choice"""
    renderer: Literal["auto", "cpu", "gpu", "pybullet"] = "auto"
    """what draws the frames: auto is the GPU when there is one, else the CPU"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    workers: int = PretrainConfig.workers
    """processes that draw frames; the result does not depend on it"""
    threads: int = 0
    """threads for training on the CPU; 0: half the cores"""
    resume: bool = False
    """go on; axes and seeds may be added"""
