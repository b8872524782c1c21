"""The policy that did best so far in a run's evaluations; kept on disk, so that an interruption does not lose it."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration.records import read_record, write_record
from policies.learning.saved import CARD, WEIGHTS, PolicyCard, load_learned, save_policy

_SCORE = "score.json"


@dataclass(frozen=True)
class Score:
    """How a policy did in an evaluation.

    Attributes:
        success: rate, 0 to 1.
        total: mean return of an episode.
        step: of training, after which it was evaluated.
    """

    success: float
    total: float
    step: int


class BestPolicy:
    """A folder with the best policy that was offered."""

    def __init__(self, folder: Path) -> None:
        """Take up what an earlier start left."""
        self.folder, self._part = folder, folder.with_suffix(".part")
        # The score is written last, so with it a new best is whole, and the old one may be gone already.
        if not folder.exists() and (self._part / _SCORE).is_file():
            self._part.rename(folder)
        self.score = read_record(folder / _SCORE, Score) if (folder / _SCORE).is_file() else None

    def offer(self, model: Any, card: PolicyCard, score: Score) -> None:
        """Keep a model's policy if it did better; of equals the first stays."""
        if self.score is not None and (score.success, score.total) <= (self.score.success, self.score.total):
            return
        shutil.rmtree(self._part, ignore_errors=True)
        save_policy(self._part, model, dataclasses.replace(card, trained_on=f"{score.step} steps, the best evaluation"))
        write_record(self._part / _SCORE, score, {})
        shutil.rmtree(self.folder, ignore_errors=True)
        self._part.rename(self.folder)
        self.score = score

    def take(self, folder: Path) -> tuple[Any, int]:
        """Copy the best policy to a folder and return it with the step it is of; one must have been offered."""
        assert self.score is not None
        folder.mkdir(parents=True, exist_ok=True)
        for name in (WEIGHTS, CARD):
            shutil.copyfile(self.folder / name, folder / name)
        return load_learned(folder), self.score.step
