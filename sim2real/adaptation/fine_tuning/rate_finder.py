"""Find a learning rate by raising it until the loss explodes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.penalties import Tensors
from sim2real.adaptation.fine_tuning.phases import Phase, apply, make_optimizer, select
from sim2real.adaptation.fine_tuning.training import tune_step

_SMOOTHING = 0.9
_EXPLODED = 4.0


@dataclass(frozen=True)
class RateCurve:
    """Loss against learning rate.

    Attributes:
        rates: tried, rising.
        losses: of the batch of each step, before that step.
        smoothed: the same, averaged over earlier steps.
        suggested: where the smoothed loss falls fastest against the logarithm of the rate; None when it never falls.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested: float | None


def find_rate(
    model: PerceptionModel,
    phase: Phase,
    batch_at: Callable[[int], Tensors],
    device: torch.device,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 60,
) -> RateCurve:
    """Return the curve of a learning-rate range test (Smith 2017); the model is as before, to the bit.

    The rate rises from `low` to `high` by the same factor a step. The test ends early when the smoothed loss is four
    times its lowest value or no number.

    Args:
        model: changed while it is tested, then restored with its statistics and modes.
        phase: what learns; its own rate and steps are not used.
        batch_at: gives the batch of a step, from 0.
        device: where the model is.
        low: first rate.
        high: last rate.
        steps: at most.

    Raises:
        ValueError: rates that do not rise from above 0, or fewer than three steps.
    """
    if not 0 < low < high or steps < 3:
        raise ValueError(f"rates must rise from above 0 in 3 steps or more, got {low} to {high} in {steps}")
    state = copy.deepcopy(model.state_dict())
    modes = [(m, m.training) for m in model.modules()]
    asked = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices):
            rates, losses = _test(model, phase, batch_at, device, low, high, steps)
    finally:
        model.load_state_dict(state)
        for module, training in modes:
            module.training = training
        for parameter, learns, grad in asked:
            parameter.requires_grad_(learns)
            parameter.grad = grad
    smoothed = smooth(losses)
    return RateCurve(tuple(rates), tuple(losses), tuple(smoothed), suggest(rates, smoothed))


def _test(
    model: PerceptionModel,
    phase: Phase,
    batch_at: Callable[[int], Tensors],
    device: torch.device,
    low: float,
    high: float,
    steps: int,
) -> tuple[list[float], list[float]]:
    selection = select(model, phase)
    apply(model, selection)
    optimizer = make_optimizer(model, selection, low)
    rates: list[float] = []
    losses: list[float] = []
    for rate in np.geomspace(low, high, steps).tolist():
        loss = tune_step(model, optimizer, batch_at(len(rates)), rate, device)
        if not math.isfinite(loss):
            break
        rates.append(rate)
        losses.append(loss)
        smoothed = smooth(losses)
        if smoothed[-1] > _EXPLODED * min(smoothed):
            break
    return rates, losses


def smooth(values: Sequence[float]) -> list[float]:
    """Return exponential averages, each divided by the sum of its weights so that the first is not drawn to 0."""
    total, weight, out = 0.0, 0.0, []
    for value in values:
        total = _SMOOTHING * total + (1 - _SMOOTHING) * value
        weight = _SMOOTHING * weight + (1 - _SMOOTHING)
        out.append(total / weight)
    return out


def suggest(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the rate at which losses fall fastest against the logarithm of the rate; None when they never fall."""
    if len(rates) < 2:
        return None
    slope = np.gradient(np.asarray(losses), np.log(np.asarray(rates)))
    # A curve that has passed its lowest point falls no more, whatever the noise says.
    slope = slope[: int(np.argmin(losses)) + 1]
    best = int(np.argmin(slope))
    return float(rates[best]) if slope[best] < 0 else None
