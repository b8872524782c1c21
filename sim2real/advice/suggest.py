"""One line that says what to do, with the number behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sim2real.advice.record import DomainGap, ModelAdvice, StageAdvice
from sim2real.statistics import mean_estimate


def suggestion(models: Sequence[ModelAdvice], pictures: DomainGap) -> str:
    """Return the line: from labelled frames where there were some, else from the distances between the domains."""
    best = best_model(models)
    if best.own_error_m is None:
        highest = (
            f"start from {Path(best.model).name} (confidence {best.confidence:.2f}, the highest of {len(models)}); "
        )
        return (highest if len(models) > 1 else "") + _from_distances(best, pictures)
    start = _start(best, models)
    probe = min(best.stages, key=_probe_error)
    last = best.stages[-1]
    own, found = best.own_error_m.value, _probe_error(probe)
    if own <= found:
        return (
            f"{start}keep the head and fine-tune everything: its own error is {metres(own)} on the labelled frames, "
            f"below the best probe's {metres(found)} at {probe.stage}"
        )
    if probe is last:
        return (
            f"{start}train a new head on frozen features first, then fine-tune: probe error {metres(found)} at the "
            f"last stage {last.stage}, against {metres(own)} of the model's own head"
        )
    clear = _differ(probe.probe_errors_m, last.probe_errors_m)
    doubt = "" if clear else " (their difference may be chance)"
    return (
        f"{start}fine-tune from stage {probe.stage} up with a new head: probe error {metres(found)} there against "
        f"{metres(_probe_error(last))} at the last stage{doubt}, {metres(own)} by the model's own head"
    )


def best_model(models: Sequence[ModelAdvice]) -> ModelAdvice:
    """Return the model with the lowest error, its head's or a probe's; where none has errors, the most confident."""
    measured = [m for m in models if m.own_error_m is not None]
    return min(measured, key=_lowest_error) if measured else max(models, key=lambda m: m.confidence)


def metres(value: float) -> str:
    """Return a length with three digits, in mm below a centimetre, in cm below a metre."""
    if value < 0.01:
        return f"{1e3 * value:.3g} mm"
    return f"{1e2 * value:.3g} cm" if value < 1 else f"{value:.3g} m"


def _start(best: ModelAdvice, models: Sequence[ModelAdvice]) -> str:
    others = [m for m in models if m is not best and m.own_error_m is not None]
    if not others:
        return ""
    second = min(others, key=_lowest_error)
    chance = "" if _differ(best.own_errors_m, second.own_errors_m) else "; the difference may be chance"
    return (
        f"start from {Path(best.model).name} (lowest error {metres(_lowest_error(best))} against "
        f"{metres(_lowest_error(second))} of {Path(second.model).name}{chance}); "
    )


def _from_distances(best: ModelAdvice, pictures: DomainGap) -> str:
    apart = [s for s in best.stages if s.gap.beyond_chance]
    name = Path(best.model).name
    if not apart and not pictures.beyond_chance:
        return (
            f"label frames and fine-tune {name}: no stage tells simulated frames from photographs beyond chance "
            f"(smallest p {min(s.gap.mmd.p_value for s in best.stages):.2g})"
        )
    widest = max(best.stages, key=lambda s: s.gap.ratio)
    number = f"KID is {widest.gap.ratio:.1f} times its null at {widest.stage}"
    if widest is best.stages[0] or not apart:
        other = best.stages[-1]
        return (
            f"colours and textures differ most, {number} against {other.gap.ratio:.1f} times at {other.stage}: "
            f"try `adapt --methods colour batchnorm` on {name} first"
        )
    other = best.stages[0]
    return (
        f"deeper features differ most, {number} against {other.gap.ratio:.1f} times at {other.stage}: "
        f"try feature alignment on {name}, such as `adapt --methods daregram`"
    )


def _probe_error(stage: StageAdvice) -> float:
    assert stage.probe_error_m is not None
    return stage.probe_error_m.value


def _lowest_error(model: ModelAdvice) -> float:
    assert model.own_error_m is not None
    return min(model.own_error_m.value, *(_probe_error(s) for s in model.stages))


def _differ(first: Sequence[float], second: Sequence[float]) -> bool:
    """Return whether the mean difference of paired errors is away from 0 by its interval."""
    estimate = mean_estimate(np.subtract(first, second), "m", signed=True)
    return not estimate.low <= 0.0 <= estimate.high
