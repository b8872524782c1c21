"""Recorded trajectories replayed open loop: how far a simulated arm is from the real one, against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from calibration.dynamics.filtering import FilterSettings
from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import Float
from calibration.dynamics.scoring import Simulate
from calibration.dynamics.windows import cut_windows
from calibration.estimate import Estimate
from sim2real.report_svg import COLOURS, new_axes, new_figure, page_style, to_svg
from sim2real.statistics import mean_estimate

FORMAT = "sim2real.replay"
HORIZONS_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class ReplayPoint:
    """Error after a time.

    Attributes:
        horizon_s: since the replay began.
        error: root mean square over windows and joints of simulated less measured positions, mean over runs, radians.
    """

    horizon_s: float
    error: Estimate


@dataclass(frozen=True)
class ReplayCurve:
    """One arm's error against the horizon.

    Attributes:
        arm: its name.
        points: by horizon.
    """

    arm: str
    points: tuple[ReplayPoint, ...]


def replay(
    arms: Mapping[str, Sequence[Simulate]],
    logs: Sequence[MotionLog],
    filters: FilterSettings,
    horizons_s: Sequence[float] = HORIZONS_S,
) -> list[ReplayCurve]:
    """Return how far each arm is from the recorded one when it is given the recorded torques and nothing else.

    Runs are cut into windows of the longest horizon, side by side; each begins in the measured state. Intervals are
    over runs (`sim2real.statistics.mean_estimate`), since windows of one run are alike.

    Args:
        arms: for each name what simulates each of the runs: an arm that was fitted to a run is no judge of it, so
            that each run may have an arm of its own.
        logs: the runs.
        filters: of the first states.
        horizons_s: at which errors are told; those longer than a run are left out.

    Raises:
        ValueError: an arm with another number of simulators than there are runs.
        InputError: runs that are too short for any horizon.
    """
    for name, simulators in arms.items():
        if len(simulators) != len(logs):
            raise ValueError(f"arm '{name}' must have a simulator for each of {len(logs)} runs, got {len(simulators)}")
    room = min(log.seconds for log in logs) - 2 * filters.edge_s
    fitting = sorted(h for h in horizons_s if h < room) or [min(horizons_s)]
    found = []
    for name, simulators in arms.items():
        runs = [_of_run(simulate, log, fitting, filters) for simulate, log in zip(simulators, logs, strict=True)]
        table = np.stack(runs)
        points = [ReplayPoint(h, mean_estimate(table[:, k], "rad")) for k, h in enumerate(fitting)]
        found.append(ReplayCurve(name, tuple(points)))
    return found


def _of_run(simulate: Simulate, log: MotionLog, horizons_s: Sequence[float], filters: FilterSettings) -> Float:
    """Return the errors (H,) of one run."""
    windows = cut_windows([log], horizons_s[-1], filters)
    simulated = simulate(windows.start_positions, windows.start_velocities, windows.torques, windows.step_s)
    rows = np.round(np.array(horizons_s) / windows.step_s).astype(int)
    off = simulated[rows] - windows.positions[rows]
    return np.asarray(np.sqrt(np.mean(off**2, axis=(1, 2))))


def replay_svg(curves: Sequence[ReplayCurve], name: str, about: str) -> str:
    """Return error over horizon, both logarithmic, with a band of intervals for each arm.

    Args:
        curves: of the arms.
        name: unique in the page.
        about: what a screen reader says in place of the picture.
    """
    with page_style():
        figure = new_figure(560, 320)
        axes = new_axes(figure, (62, 44, 480, 262))
        for k, curve in enumerate(curves):
            x = [p.horizon_s for p in curve.points]
            value, low, high = ([getattr(p.error, key) for p in curve.points] for key in ("value", "low", "high"))
            axes.fill_between(x, low, high, color=COLOURS[k], alpha=0.15, lw=0)
            axes.plot(x, value, "o-", ms=4, lw=1.4, color=COLOURS[k], label=curve.arm)
        axes.set_xscale("log")
        axes.set_yscale("log")
        ticks = [p.horizon_s for p in curves[0].points]
        axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("time since the replay began, s")
        axes.set_ylabel("error of joint angles, rad")
        axes.legend(frameon=False, fontsize=10)
        return to_svg(figure, name, about)


def as_plain(curves: Sequence[ReplayCurve], source: str, runs: Sequence[str]) -> dict[str, Any]:
    """Return the curves for JSON.

    Args:
        curves: of the arms.
        source: where the recordings are from.
        runs: names of the runs that were replayed.
    """
    return {
        "format": FORMAT,
        "version": 1,
        "source": source,
        "runs": list(runs),
        "curves": [asdict(c) for c in curves],
    }
