"""One frozen dataclass per command; the docstring under a field is its help text. No torch, no simulator here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

Text = str
Device = Annotated[str, tyro.conf.arg(help="auto (a GPU when there is one), cpu, cuda or cuda:N")]


@dataclass(frozen=True)
class PretrainConfig:
    """Pretrain a perception model on an endless stream of randomized simulated frames."""

    rig: str
    """name of a shipped rig, or path of a rig's TOML file"""
    out: Path
    """new folder for the run"""
    frames: int = 12000
    """simulated frames, each seen once"""
    seed: int = 0
    """seed of frames and weights"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    resume: bool = False
    """go on with an interrupted run"""
    workers: int = 2
    """processes that draw frames; the result does not depend on it"""
    backbone: str = "regnetx_002"
    """timm name of the image encoder"""
    weights: str | None = None
    """safetensors state dict for the backbone, or "pretrained" for ImageNet weights if they can be fetched"""
    head: Literal["keypoints", "regression"] = "keypoints"
    """heatmap keypoints lifted by the camera, or direct regression of the label"""
    randomization: str | None = None
    """preset name or TOML file; default: the rig's own choice"""
    batch_size: int = 16
    """frames a step"""
    learning_rate: float = 2e-3
    """highest learning rate"""
    threads: int = 0
    """threads for training on the CPU; 0: one a core. Changing it may change the last bits of the weights"""
    checkpoint_every: int = 100
    """steps between states from which an interrupted run goes on"""
