"""Settings of `sim2real sweep`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SweepConfig:
    """Compare methods of adaptation and fine-tuning on photographs that none of them saw."""

    models: tuple[Path, ...]
    """run folders of pretrain, one a seed"""
    real: Path
    """folder with photographs and labels.csv"""
    out: Path
    """new folder for the comparison"""
    chains: tuple[str, ...] = ("none", "background", "background+colour")
    """chains of methods of `sim2real adapt`, joined by +; "none" leaves the model as it is"""
    budgets: tuple[int, ...] = (0, 10)
    """numbers of labelled photographs; 0 is label-free. The largest of the fitting side is the oracle's: give -1"""
    strategies: tuple[str, ...] = ("lp-ft",)
    """strategies of `sim2real finetune`, and "camera" (refitted, weights frozen) and "scratch" (no simulation)"""
    test_groups: tuple[str, ...] = ()
    """values of the rig's group column that are held out; default: the rig's own"""
    first: int | None = None
    """use only the first so many usable photographs, for choosing settings without the others"""
    steps: int = 60
    """of each training of a chain"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    workers: int = 0
    """jobs at a time; 0: as many as cores, or one on a GPU. Results do not depend on it"""
    resume: bool = False
    """go on with an interrupted comparison, or add rows to one"""
