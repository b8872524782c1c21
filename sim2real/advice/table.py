"""Advice as lines for a terminal."""

from __future__ import annotations

from pathlib import Path

from sim2real.advice.record import Advice, DomainGap, ModelAdvice, StageAdvice
from sim2real.advice.suggest import metres

_HEAD = ("stage", "LogME", "H-score", "probes, best first", "A-distance [null]", "KID [null]", "KID/null", "MMD p")


def lines_of(advice: Advice) -> list[str]:
    """Return a table a model, what is missing, what to label, and the suggestion last."""
    lines = [
        f"{advice.photographs} photographs of {advice.real}, {advice.simulated} simulated frames, "
        f"selection: {advice.selection}"
    ]
    if advice.chance_error_m is not None:
        lines.append(f"probes: {advice.folds}; predicting the mean label errs by {metres(advice.chance_error_m)}")
    for model in advice.models:
        rows = [_HEAD, *(_row(s) for s in model.stages), ("pictures", "-", "-", "-", *_gap_cells(advice.pictures))]
        widths = [max(len(row[k]) for row in rows) for k in range(len(_HEAD))]
        lines += ["", _title(model)]
        lines += ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.append("")
    lines += [f"not computed: {reason}" for reason in advice.not_computed]
    if advice.picks:
        lines.append(f"label next: {', '.join(p.file for p in advice.picks)}")
    return [*lines, f"suggestion: {advice.suggestion}"]


def _title(model: ModelAdvice) -> str:
    own = ""
    if model.own_error_m is not None:
        e = model.own_error_m
        own = f", own error {metres(e.value)} [{metres(e.low)}, {metres(e.high)}]"
    return f"{Path(model.model).name} ({model.backbone}){own}, confidence {model.confidence:.2f}"


def _row(stage: StageAdvice) -> tuple[str, ...]:
    if stage.probe_error_m is None or stage.log_me is None or stage.h_score is None:
        return (stage.stage, "-", "-", "-", *_gap_cells(stage.gap))
    probe = ", ".join(f"{name} {metres(error)}" for name, error in stage.probes_m)
    return (stage.stage, f"{stage.log_me:.2f}", f"{stage.h_score:.2f}", probe, *_gap_cells(stage.gap))


def _gap_cells(gap: DomainGap) -> tuple[str, ...]:
    a, k = gap.a_distance, gap.kid
    null = f" [{k.null.low:.2g}, {k.null.high:.2g}]" if k.null else ""
    return (
        f"{a.value:.2f} [{a.null.low:.2f}, {a.null.high:.2f}]",
        f"{k.value:.3g}{null}",
        f"{gap.ratio:.1f}",
        f"{gap.mmd.p_value:.3f}",
    )
