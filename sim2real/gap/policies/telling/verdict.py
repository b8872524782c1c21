"""What the numbers say in one sentence, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from envs.standin.causes import CAUSES
from envs.standin.station import NAME
from sim2real.gap.policies.split import MOVING
from sim2real.gap.policies.telling.values import said_values

_MOST_CAUSES = 3
# What pins a cause down, or lets a policy learn to live with it.
_MEASURED_BY = {
    "delay": "sim2real calibrate timing",
    "observation delay": "sim2real calibrate timing",
    "joint offset": "sim2real calibrate hand-eye",
    "camera tilt": "sim2real calibrate camera",
    "camera position": "sim2real calibrate camera",
    "focal length": "sim2real calibrate intrinsics",
    "exposure": "sim2real calibrate photometry",
    "blur": "sim2real calibrate photometry",
    "noise": "sim2real calibrate photometry",
}


@dataclass(frozen=True)
class NextStep:
    """One thing to do.

    Attributes:
        what: in words.
        points: success that it is about, from 0 to 1, as (value, low, high); None where nothing was measured.
        source: where that comes from.
        command: to start with.
    """

    what: str
    points: tuple[float, float, float] | None
    source: str
    command: str


def said(share: Mapping[str, Any]) -> str:
    """Return a rate with its interval for people."""
    return f"{100 * share['value']:.0f} % [{100 * share['low']:.0f}, {100 * share['high']:.0f}]"


def verdict(result: Mapping[str, Any]) -> str:
    """Return what the first policy loses, in one sentence."""
    row, stations = result["policies"][0], len(result["stations"])
    lost = row["drop"]
    low, high = sorted((abs(100 * lost["low"]), abs(100 * lost["high"])))
    text = (
        f"{row['name']}: success {said(row['source']['success'])} in the source, {said(row['target']['success'])} over "
        f"{stations} {result['difficulty']} station{'s' if stations > 1 else ''} of the {NAME}: "
    )
    if lost["low"] > 0:
        return text + f"{100 * lost['value']:.0f} points lost [{low:.0f}, {high:.0f}]."
    if lost["high"] < 0:
        return text + f"{-100 * lost['value']:.0f} points gained [{low:.0f}, {high:.0f}]."
    return text + f"no change beyond chance [{-100 * lost['high']:.0f} to {-100 * lost['low']:+.0f} points]."


def next_steps(result: Mapping[str, Any]) -> list[NextStep]:
    """Return what to do next: seeing or moving, then single causes, the worst station, and doubt that is left."""
    row = result["policies"][0]
    found = [*_split(row["split"]), *_worst(result), *_engine(result), *_causes(result)]
    others = result["policies"][1:]
    best = max(others, key=lambda r: r["target"]["success"]["value"], default=None)
    if best is not None and best["target"]["success"]["value"] > row["target"]["success"]["value"]:
        found.append(
            NextStep(
                f"Take {best['name']}: it does best in the {NAME}, {said(best['target']['success'])}",
                None,
                "success over all stations",
                f"sim2real policy-gap --env {result['env']} --policies {best['name']}",
            )
        )
    told = row["drop"]["low"] > 0 or row["drop"]["high"] < 0
    if not told:
        half = row["fewer"][-1]["drop_half"]
        found.append(
            NextStep(
                f"Play more episodes or at more stations: a loss of less than {100 * half:.0f} points would not show",
                None,
                f"half the width of the loss's interval with {row['fewer'][-1]['episodes']} episodes a place",
                f"sim2real policy-gap --env {result['env']} --episodes {4 * row['fewer'][-1]['episodes']}",
            )
        )
    return found


def _split(split: Mapping[str, Any] | None) -> list[NextStep]:
    if split is None or split["gap"]["low"] <= 0:
        return []
    first = split["shares"][0]
    moving = first["group"] == MOVING
    command = "sim2real train --randomization dynamics" if moving else "sim2real distill --randomization wide"
    already = f" ({100 * first['alone']:.0f} points of it in the source already)" if not moving else ""
    return [
        NextStep(
            f"Mend {first['group']} first{already}: it explains",
            _points(first["explained"]),
            "the true state in place of pictures, in source and held-out simulation",
            command,
        )
    ]


def _worst(result: Mapping[str, Any]) -> list[NextStep]:
    """Return what costs most at the worst station."""
    worst = result["worst"]
    if worst["drop"]["low"] <= 0:
        return []
    costly = [c for c in worst["causes"] if c["loss"]["value"] > 0][:_MOST_CAUSES]
    most = " and ".join(f"{c['cause']} ({said_values(c['values'], result['nominal'])})" for c in costly)
    found = [
        NextStep(
            f"Look at {worst['station']}, the worst{f', where alone {most} cost most' if most else ''}: it loses",
            _points(worst["drop"]),
            "success there against the source, the same starts",
            f"sim2real rollout --env {result['env']} --held-out {len(result['stations'])} "
            f"--difficulty {result['difficulty']}",
        )
    ]
    sure = [c for c in worst["causes"] if c["loss"]["low"] > 0]
    for c in sure[:_MOST_CAUSES]:
        what = f"{_mend(c['cause'])}; alone, as at {worst['station']} ({said_values(c['values'], result['nominal'])}), "
        found.append(
            NextStep(
                what + "it costs",
                _points(c["loss"]),
                f"{result['settings']['curve_episodes']} episodes with it and without, the same starts",
                _command(c["cause"]),
            )
        )
    return found


def _engine(result: Mapping[str, Any]) -> list[NextStep]:
    lost = result["engine"]
    if lost is None or lost["low"] <= 0:
        return []
    return [
        NextStep(
            "Train with physics varied: with nothing hidden, another engine and renderer cost",
            _points(lost),
            f"the source against the {NAME} of the rig file, the same starts",
            "sim2real train --randomization dynamics",
        )
    ]


def _causes(result: Mapping[str, Any]) -> list[NextStep]:
    """Return what costs most at its largest size, of causes that were not told at the worst station."""
    told = {c["cause"] for c in result["worst"]["causes"] if c["loss"]["low"] > 0}
    sure = [c for c in result["curves"] if c["loss"]["low"] > 0 and c["cause"] not in told]
    return [
        NextStep(
            f"{_mend(c['cause'])}; alone, at size 1 ({said_values(c['values'], result['nominal'])}), it costs",
            _points(c["loss"]),
            f"{result['settings']['curve_episodes']} episodes with it and without, the same starts",
            _command(c["cause"]),
        )
        for c in sorted(sure, key=lambda c: -c["loss"]["value"])[:_MOST_CAUSES]
    ]


def _mend(cause: str) -> str:
    return f"Measure {cause}, or train with it varied"


def _command(cause: str) -> str:
    varied = "dynamics" if CAUSES[cause].of == "moving" else "wide"
    return _MEASURED_BY.get(cause, f"sim2real train --randomization {varied}")


def _points(estimate: Mapping[str, Any]) -> tuple[float, float, float]:
    return estimate["value"], estimate["low"], estimate["high"]


def as_plain(steps: Sequence[NextStep]) -> list[dict[str, Any]]:
    """Return the steps for JSON."""
    return [asdict(s) for s in steps]
