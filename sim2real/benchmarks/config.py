"""Settings of `sim2real benchmark`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class BenchmarkConfig:
    """Measure renderers, environments or pretraining side by side with their peers on this machine."""

    what: Literal[
        "rendering", "environments", "pretraining", "predictivity", "attribution", "diagnosis", "shifts", "forecasts"
    ] = "rendering"
    """renderers: views a second, agreement of the pictures; arm environments: steps, resets, pictures, processes;
    pretraining: frames a second beside the same network on data in memory; predictivity: whether success in the source
    tells success in the held-out simulation, over experts with faults; attribution: whether planted causes are found;
    diagnosis: the same by refits that are not told which causes there are;
    shifts: how much of planted shifts label-free methods recover; forecasts: whether predicted errors hold"""
    sizes: tuple[int, ...] = (64, 84, 128, 224)
    """sides of the pictures, pixels; rendering only"""
    rounds: int = 5
    """turns that each renderer has; medians are reported"""
    seconds: float = 0.5
    """how long a turn is at least"""
    peers: bool = True
    """also measure PyBullet's OpenGL plugin, MuJoCo and OpenGL through EGL, where they run; rendering only"""
    rig: str = "cube_on_table"
    """name of a shipped rig, or path of a rig's TOML file; pretraining and diagnosis only"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N; pretraining only"""
    env: str = "PandaPush-v0"
    """id of an arm task; predictivity and attribution only"""
    stations: int = 6
    """of the held-out simulation; predictivity only"""
    episodes: int = 75
    """in the source and at each station, and pictures of seeing; predictivity and attribution only"""
    pictures: int = 8
    """labelled pictures of each station; diagnosis only"""
    randomization: str = "dynamics"
    """of a second source beside the nominal one; predictivity only"""
    strength: float = 0.6
    """of that randomization, 0 to 1; of planted shifts, 1 for what wide randomization does not cover; predictivity and
    shifts only"""
    model: Path | None = None
    """pretrained model whose seeing is attributed, or that is adapted; attribution and shifts only"""
    methods: tuple[str, ...] = ("batchnorm", "coral-layers", "colour")
    """label-free methods, several joined by +; shifts only"""
    shifts: tuple[str, ...] = ()
    """which shifts are planted, a wrong name lists all; default: all. Shifts only"""
    steps: int = 60
    """of each training of a method; shifts only"""
    weight: float | None = None
    """of a feature-level method's loss; default: the method's own. Shifts only"""
    sweeps: tuple[Path, ...] = ()
    """folders of `sim2real sweep` with a number of labelled frames and its double; forecasts only"""
    among: Literal["nominal", "mild", "medium", "hard"] = "nominal"
    """how far all causes but the planted ones are from nominal; attribution only"""
    out: Path | None = None
    """new JSON file for the figures"""
