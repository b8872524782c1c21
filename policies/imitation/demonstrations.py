"""What was seen and what the teacher would have done, round by round, on disk."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Arrays of a round by name, each (N, ...).
Round = dict[str, NDArray[Any]]


class Demonstrations:
    """Rounds in a folder. Pictures stay on disk and are read as they are needed, since they may outgrow the memory."""

    def __init__(self, folder: Path) -> None:
        """Open the complete rounds that are there."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.rounds: list[Round] = []
        while (place := self._place(len(self.rounds))).is_dir():
            self.rounds.append({p.stem: np.load(p, mmap_mode="r") for p in sorted(place.glob("*.npy"))})

    def __len__(self) -> int:
        """Return the number of steps."""
        return sum(self._lengths())

    def _lengths(self) -> list[int]:
        return [len(next(iter(r.values()))) for r in self.rounds]

    def add(self, found: Round) -> None:
        """Write a round; it appears whole or not at all."""
        place = self._place(len(self.rounds))
        part = place.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        for name, values in found.items():
            np.save(part / f"{name}.npy", values)
        part.rename(place)
        self.rounds.append({name: np.load(place / f"{name}.npy", mmap_mode="r") for name in found})

    def every(self, name: str) -> Tensor:
        """Return one array of all rounds, (N, ...)."""
        return torch.from_numpy(np.concatenate([r[name] for r in self.rounds]))

    def images(self, chosen: Tensor) -> Tensor:
        """Return pictures by their numbers (B,) over all rounds, uint8 (B, 3, H, W)."""
        lengths = self._lengths()
        ends = np.cumsum(lengths)
        numbers = chosen.numpy()
        which = np.searchsorted(ends, numbers, side="right")
        first = self.rounds[0]["images"]
        found = np.empty((len(numbers), *first.shape[1:]), np.uint8)
        for k in np.unique(which):
            here = which == k
            found[here] = self.rounds[k]["images"][numbers[here] - (ends[k] - lengths[k])]
        return torch.from_numpy(found).permute(0, 3, 1, 2)

    def _place(self, number: int) -> Path:
        return self.folder / f"round_{number:03d}"
