"""Settings of `sim2real diagnose`; as in `sim2real.configs`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class DiagnoseConfig:
    """Say what differs between labelled photographs and drawings of the rig file: camera, light, sensor, surfaces."""

    rig: str
    """name of a shipped rig, or path of a rig's TOML file"""
    real: Path
    """folder with photographs and labels.csv"""
    out: Path | None = None
    """new JSON file for what was found"""
    frames: int = 12
    """labelled photographs to use, spread over the folder; half of them are fitted, the others judge"""
    most: int = 3
    """causes to find, one after another"""
    held_out: bool = False
    """the folder is of the held-out simulation, not of photographs"""
    seed: int = 0
    """of starts and resampling"""
    renderer: Literal["auto", "cpu", "gpu"] = "auto"
    """what draws: auto is the GPU when there is one, else the CPU"""
    threads: int = 0
    """that draw; 0: all cores"""
