"""Watch a training for losses that blow up, values that are no numbers, and predictions that collapse."""

from __future__ import annotations

import copy
import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

_WINDOW = 5
# A loss may rise again a little: when another part begins to learn, or as an adversary does.
_START_SHARE = 0.1


@dataclass(frozen=True)
class GuardSettings:
    """When training stops.

    Attributes:
        blow_up: a loss beyond this factor of the lowest, medians of five steps, has blown up.
        spread_share: predictions have collapsed below this share of their spread at the start.
        rank_share: features have collapsed below this share of their effective rank at the start.
        patience: steps in a row for which a collapse must hold.
        keep_every: steps between two kept states; what is restored is at least as old.
    """

    blow_up: float = 5.0
    spread_share: float = 0.1
    rank_share: float = 0.3
    patience: int = 5
    keep_every: int = 10


class TrainingGuard:
    """Keeps the last good state of a model on the CPU, and restores it when training fails.

    A state is good when training went on without a fault for `keep_every` steps after it.
    """

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer | None = None, settings: GuardSettings | None = None
    ) -> None:
        """Keep the state that the model, and the optimizer if given, begin with."""
        self._model = model
        self._optimizer = optimizer
        self._settings = settings or GuardSettings()
        self._good = self._newest = self._state(0)
        self._last_kept = 0
        self._losses: deque[float] = deque(maxlen=_WINDOW)
        self._lowest: float | None = None
        self._first: float | None = None
        self._began: dict[str, list[float]] = {"predictions": [], "features": []}
        self._below = {"predictions": 0, "features": 0}

    @property
    def good_step(self) -> int:
        """The step whose state would be restored; 0 is the start."""
        return self._good.step

    def check(
        self,
        step: int,
        loss: float,
        predictions: torch.Tensor | None = None,
        features: torch.Tensor | None = None,
    ) -> str | None:
        """Return None, or why training must stop; then the last good state is back in model and optimizer.

        Call it after a step, while gradients are still there. Batches must be of one size.

        Args:
            step: counted from 1.
            loss: of this step. Blowing up is told of losses that are not negative.
            predictions: (N, L) of this step, N 2 or more; their spread is watched.
            features: (N, D) of this step; their effective rank is watched.
        """
        reason = self._fault(loss, predictions, features)
        if reason is not None:
            kept = self._good.step
            self._restore()
            return f"step {step}: {reason}; the state of step {kept} is restored; use a lower learning rate"
        if step - self._last_kept >= self._settings.keep_every:
            self._good, self._newest = self._newest, self._state(step)
            self._last_kept = step
        return None

    def _fault(self, loss: float, predictions: torch.Tensor | None, features: torch.Tensor | None) -> str | None:
        if not math.isfinite(loss):
            return f"the loss must be finite, got {loss}"
        for what, tensors in (
            ("gradients", [p.grad for p in self._model.parameters() if p.grad is not None]),
            ("weights", [t for t in self._model.state_dict().values() if t.is_floating_point()]),
        ):
            if not _all_finite(tensors):
                return f"{what} must be finite, got NaN or infinity"
        return (
            self._blown_up(loss)
            or self._collapsed("predictions", predictions, self._settings.spread_share)
            or self._collapsed("features", features, self._settings.rank_share)
        )

    def _blown_up(self, loss: float) -> str | None:
        self._losses.append(loss)
        if len(self._losses) < _WINDOW or min(self._losses) < 0:
            return None
        now = sorted(self._losses)[_WINDOW // 2]
        self._first = now if self._first is None else self._first
        self._lowest = now if self._lowest is None else min(self._lowest, now)
        limit = self._settings.blow_up * max(self._lowest, _START_SHARE * self._first)
        if now <= limit or limit == 0:
            return None
        return f"the loss blew up: expected at most {limit:.3g} (lowest {self._lowest:.3g}), got {now:.3g}"

    def _collapsed(self, what: str, values: torch.Tensor | None, share: float) -> str | None:
        if values is None:
            return None
        if not _all_finite([values]):
            return f"{what} must be finite, got NaN or infinity"
        size = spread(values) if what == "predictions" else effective_rank(values)
        began = self._began[what]
        if len(began) < _WINDOW:
            began.append(size)
            return None
        start = sorted(began)[_WINDOW // 2]
        self._below[what] = self._below[what] + 1 if size < share * start else 0
        if self._below[what] < self._settings.patience:
            return None
        name = "a spread" if what == "predictions" else "an effective rank"
        return (
            f"{what} collapsed: expected {name} of {share * start:.3g} or more ({start:.3g} at first), got {size:.3g}"
        )

    def _state(self, step: int) -> _State:
        weights = {name: t.detach().cpu().clone() for name, t in self._model.state_dict().items()}
        optimizer = None if self._optimizer is None else _to_cpu(self._optimizer.state_dict())
        return _State(step, weights, optimizer)

    def _restore(self) -> None:
        self._model.load_state_dict(self._good.weights)
        self._model.zero_grad(set_to_none=True)
        # Training may go on from here, more slowly.
        self._newest, self._last_kept = self._good, self._good.step
        self._losses.clear()
        self._below = dict.fromkeys(self._below, 0)
        if self._optimizer is not None and self._good.optimizer is not None:
            self._optimizer.load_state_dict(copy.deepcopy(self._good.optimizer))


@dataclass(frozen=True, eq=False)
class _State:
    step: int
    weights: dict[str, torch.Tensor]
    optimizer: dict[str, Any] | None


def spread(predictions: torch.Tensor) -> float:
    """Return the mean standard deviation of predictions (N, L) over the batch."""
    return float(predictions.detach().float().flatten(1).std(dim=0).mean())


def effective_rank(features: torch.Tensor) -> float:
    """Return the effective rank of centred features (N, D): the exponential of the entropy of their singular values.

    Source: Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality". 0 where all are equal.
    """
    centred = features.detach().double().flatten(1)
    centred = centred - centred.mean(dim=0)
    values = torch.linalg.svdvals(centred)
    total = float(values.sum())
    # Rounding leaves singular values of about this size where the rows are equal.
    if total <= 1e-6 * float(features.detach().abs().max()) * math.sqrt(centred.numel()):
        return 0.0
    share = values / total
    return float(torch.exp(-(share * torch.log(share.clamp(min=1e-300))).sum()))


def _all_finite(tensors: list[torch.Tensor]) -> bool:
    """Return whether every value is finite; one transfer from the device for all of them."""
    if not tensors:
        return True
    return bool(torch.stack([torch.isfinite(t).all() for t in tensors]).all())


def _to_cpu(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {k: _to_cpu(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_to_cpu(v) for v in value]
    return value
