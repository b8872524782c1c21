"""Stop fine-tuning where the loss on held-out labelled frames is lowest."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from calibration.errors import InputError

Index = NDArray[np.int64]


class EarlyStopping:
    """Keeps the weights with the lowest loss on frames that are not trained on (Prechelt 1998).

    Attributes:
        steps: after which the loss was taken, 0 first.
        losses: at those steps.
    """

    def __init__(self, loss_of: Callable[[], float], every: int = 5, patience: int = 6) -> None:
        """Set up; the first look is `update(0, model)`.

        Args:
            loss_of: the loss on the held-out frames, and on no others.
            every: steps from one look to the next.
            patience: looks without a new lowest loss after which to stop.

        Raises:
            ValueError: `every` or `patience` below 1.
        """
        if every < 1 or patience < 1:
            raise ValueError(f"every and patience must be 1 or more, got {every} and {patience}")
        self._loss_of = loss_of
        self._every, self._patience = every, patience
        self._kept: dict[str, torch.Tensor] | None = None
        self._best = math.inf
        self.best_step = 0
        self.steps: list[int] = []
        self.losses: list[float] = []

    def update(self, step: int, model: nn.Module) -> bool:
        """Look at the model when it is time to, and say whether to stop."""
        if step % self._every:
            return False
        self._look(step, model)
        return (step - self.best_step) // self._every >= self._patience

    def restore(self, model: nn.Module) -> None:
        """Give the model the weights and statistics of the best look."""
        if self._kept is not None:
            model.load_state_dict(self._kept)

    def _look(self, step: int, model: nn.Module) -> None:
        loss = self._loss_of()
        self.steps.append(step)
        self.losses.append(loss)
        if loss < self._best or self._kept is None:
            self._best, self.best_step = loss, step
            self._kept = {name: value.clone() for name, value in model.state_dict().items()}


class StopAt:
    """Stops after a fixed number of steps."""

    def __init__(self, step: int) -> None:
        """Keep the number."""
        self._step = step

    def update(self, step: int, model: nn.Module) -> bool:
        """Say whether the steps are taken."""
        return step >= self._step

    def restore(self, model: nn.Module) -> None:
        """Keep the weights as they are."""


def leave_out(count: int, share: float, seed: int) -> tuple[Index, Index]:
    """Return sorted numbers of the frames to fit and of those to hold out, at least one each.

    Args:
        count: labelled frames.
        share: to hold out, more than 0 and less than 1.
        seed: of the drawing.

    Raises:
        InputError: fewer than two frames.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, got {share}")
    if count < 2:
        raise InputError(f"early stopping needs 2 or more labelled frames, got {count}; turn it off")
    order = np.random.default_rng([seed, 81]).permutation(count)
    held = min(count - 1, max(1, round(share * count)))
    return np.sort(order[held:]), np.sort(order[:held])


def folds(count: int, parts: int, seed: int) -> list[tuple[Index, Index]]:
    """Return, for each of `parts` folds, the numbers to fit and to hold out; each frame is held out exactly once.

    With fewer frames than parts, there are as many folds as frames.

    Raises:
        InputError: fewer than two frames.
    """
    if parts < 2:
        raise ValueError(f"parts must be 2 or more, got {parts}")
    if count < 2:
        raise InputError(f"early stopping needs 2 or more labelled frames, got {count}; turn it off")
    order = np.random.default_rng([seed, 82]).permutation(count)
    held = [np.sort(part) for part in np.array_split(order, min(parts, count))]
    return [(np.setdiff1d(np.arange(count), part), part) for part in held]


def best_common_step(
    curves: Sequence[tuple[Sequence[int], Sequence[float]]],
) -> tuple[int, tuple[tuple[int, float], ...]]:
    """Return the step with the lowest mean loss, and (step, mean loss) of all steps that every curve has.

    Args:
        curves: steps and losses of each.

    Raises:
        ValueError: no step is in all curves.
    """
    common = set.intersection(*(set(steps) for steps, _ in curves))
    if not common:
        raise ValueError("curves must share at least one step, got none in common")
    by_step = [dict(zip(steps, losses, strict=True)) for steps, losses in curves]
    means = tuple((step, sum(curve[step] for curve in by_step) / len(by_step)) for step in sorted(common))
    return min(means, key=lambda pair: pair[1])[0], means
