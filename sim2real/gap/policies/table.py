"""The numbers of each policy in the source, at every station and over all of them, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.records import to_plain
from policies.evaluation import success_rate
from sim2real.gap.held_out import mean_success
from sim2real.gap.policies.drop import drop, with_fewer
from sim2real.gap.policies.playing.pieces import Episodes
from sim2real.gap.policies.split import FourWays, seeing_and_moving
from sim2real.statistics import mean_estimate


@dataclass(frozen=True, eq=False)
class Played:
    """Episodes of one policy with one way of seeing.

    Attributes:
        source: in the source.
        target: at each station of the held-out simulation, from the same starts.
    """

    source: Episodes
    target: tuple[Episodes, ...]

    def successes(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return successes in the source (E,) and at stations (S, E)."""
        return self.source.succeeded(), np.stack([one.succeeded() for one in self.target])


def policy_row(
    name: str, sight: str, acting: Played, knowing: Played | None, step_limit: int, seed: int
) -> dict[str, Any]:
    """Return all that is known of a policy.

    Args:
        name: of it.
        sight: how it sees.
        acting: its episodes.
        knowing: those with the true state in place of what an eye finds, where there is one.
        step_limit: of an episode.
        seed: of resampling.
    """
    row = {"name": name, "sight": sight, **_numbers(acting, step_limit, seed), "true_state": None, "split": None}
    if knowing is not None:
        seen, known = acting.successes(), knowing.successes()
        row["true_state"] = _numbers(knowing, step_limit, seed)
        row["split"] = asdict(seeing_and_moving(FourWays(known[0], seen[0], known[1], seen[1]), seed))
    return row


def worst_station(acting: Played) -> int:
    """Return the number of the station with the least success; the first of several."""
    return int(np.argmin(acting.successes()[1].mean(axis=1)))


def _numbers(played: Played, step_limit: int, seed: int) -> dict[str, Any]:
    source, target = played.successes()
    return {
        "source": {
            "success": to_plain(_rate(source)),
            **_ways([played.source], step_limit),
            "successes": _bits(source),
        },
        "target": {"success": to_plain(mean_success(target)), **_ways(played.target, step_limit)},
        "drop": to_plain(drop(source, target)),
        "fewer": to_plain(with_fewer(source, target, seed)),
        "stations": [
            {
                "station": one.place,
                "success": to_plain(_rate(own)),
                "drop": to_plain(drop(source, own[np.newaxis])),
                **_ways([one], step_limit),
                "successes": _bits(own),
            }
            for one, own in zip(played.target, target, strict=True)
        ],
    }


def _rate(successes: NDArray[np.bool_]) -> Any:
    return success_rate(int(successes.sum()), successes.size)


def _bits(successes: NDArray[np.bool_]) -> str:
    """Return successes as text, 1 for one, in the order of the seeds."""
    return "".join("01"[int(s)] for s in successes)


def _ways(places: Sequence[Episodes], step_limit: int) -> Mapping[str, Any]:
    """Return mean return and time to success over places with the same starts."""
    steps = np.stack([one.steps_to_success() for one in places])
    reached = int(np.isfinite(steps).sum())
    found: dict[str, Any] = {"return": to_plain(mean_estimate([one.returns for one in places], "1"))}
    found["steps_to_success"] = None
    if reached:
        time = mean_estimate(steps, "steps")
        # Of a few episodes the interval would be wider than what can be.
        time = replace(time, low=max(time.low, 1.0), high=min(time.high, float(step_limit)))
        found["steps_to_success"] = {**asdict(time), "episodes": reached}
    return found
