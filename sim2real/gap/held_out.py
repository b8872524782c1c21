"""Success of policies in the source simulation and at pretend stations of the held-out simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.records import to_plain
from envs.standin.station import NAME, Station
from policies.evaluation import EpisodeRecord, SuccessRate, run_episodes, success_rate
from sim2real.environments import make_environment, make_held_out
from sim2real.gap.predictivity import Predictivity, predictivity
from sim2real.statistics import mean_estimate

# Below this, the 95 % interval of a success rate is wider than 22 points.
EPISODES = 75


@dataclass(frozen=True)
class StationResult:
    """A policy's episodes at one station.

    Attributes:
        station: where.
        rate: share that ended well, with Wilson's interval.
        records: of the episodes.
        hidden: the truth about it: for each cause, value by path of the world.
    """

    station: Station
    rate: SuccessRate
    records: tuple[EpisodeRecord, ...]
    hidden: dict[str, dict[str, Any]]


def at_stations(
    make_policy: Callable[[Any], Any],
    env: str,
    stations: Sequence[Station],
    episodes: int = EPISODES,
    seed: int = 0,
    rig: str | None = None,
    deterministic: bool = True,
    advance: Callable[[int], None] = lambda done: None,
    **kwargs: Any,
) -> list[StationResult]:
    """Return a policy's success at each station of the held-out simulation.

    Args:
        make_policy: makes the policy for an environment; called once a station.
        env: id of the source environment.
        stations: of the held-out simulation.
        episodes: at each station; all have the same starts and goals.
        seed: of the first episode; the others have the next numbers.
        rig: station for ids without an arm.
        deterministic: whether the policy takes its best action.
        advance: is told how many episodes are done.
        **kwargs: of the environments.

    Raises:
        InputError: no such environment, MuJoCo is not installed, or a policy that does not fit.
    """
    if episodes < 1:
        raise InputError(f"episodes must be 1 or more, got {episodes}")
    found = []
    for number, station in enumerate(stations):
        world = make_held_out(env, station, rig, **kwargs)
        try:
            policy, records = make_policy(world), []
            for k in range(episodes):
                records += run_episodes(policy, world, [seed + k], deterministic)
                advance(number * episodes + k + 1)
            hidden = world.unwrapped.hidden()
        finally:
            world.close()
        rate = success_rate(sum(r.success for r in records), episodes)
        found.append(StationResult(station, rate, tuple(records), hidden))
    return found


def over_stations(results: Sequence[StationResult]) -> Estimate:
    """Return the mean success over stations; see `mean_success`."""
    return mean_success(np.array([[r.success for r in result.records] for result in results]))


def mean_success(successes: NDArray[np.bool_]) -> Estimate:
    """Return the mean of successes (S, E) at S stations from the same E starts.

    The interval is one over stations and over starts, which stations share, and at least as wide as Wilson's of
    all episodes: where every episode ended alike, spread knows no doubt.
    """
    drawn = mean_estimate(successes.astype(np.float64), "1")
    wilson = success_rate(int(successes.sum()), successes.size)
    return Estimate(
        drawn.value,
        max(min(drawn.low, wilson.low), 0.0),
        min(max(drawn.high, wilson.high), 1.0),
        drawn.confidence,
        successes.size,
        "1",
        "Student's t over stations and starts, at least Wilson's",
    )


def summary_of(results: Sequence[StationResult], difficulty: str) -> dict[str, object]:
    """Return what the stations say, as plain data."""
    return {
        "simulation": NAME,
        "difficulty": difficulty,
        "success": to_plain(over_stations(results)),
        "stations": [
            {"station": one.station.name, "success": to_plain(one.rate), "hidden": to_plain(one.hidden)}
            for one in results
        ],
    }


def said_of(results: Sequence[StationResult]) -> str:
    """Return the same in a line for people."""
    mean, worst = over_stations(results), min(results, key=lambda one: one.rate.value)
    low, high = 100 * mean.low, 100 * mean.high
    return (
        f"{NAME}: success {100 * mean.value:.0f} % [{low:.0f}, {high:.0f}] over {len(results)} stations, "
        f"worst {worst.station.name.removeprefix(NAME + ' ')}: {worst.rate}"
    )


@dataclass(frozen=True, eq=False)
class PolicyOutcomes:
    """Successes of P policies, by name.

    Attributes:
        policies: names.
        source: bool (P, E), of episodes in the source simulation.
        target: bool (P, S, E), of episodes at each station.
        stations: where.
    """

    policies: tuple[str, ...]
    source: NDArray[np.bool_]
    target: NDArray[np.bool_]
    stations: tuple[Station, ...]

    def all_stations(self) -> NDArray[np.bool_]:
        """Return all episodes in the held-out simulation, (P, S E), for `predictivity`."""
        return self.target.reshape(len(self.policies), -1)


def policy_outcomes(
    policies: Mapping[str, Callable[[Any], Any]],
    env: str,
    stations: Sequence[Station],
    episodes: int = EPISODES,
    seed: int = 0,
    rig: str | None = None,
) -> PolicyOutcomes:
    """Return what `predictivity` needs: each policy's episodes in the nominal source and at every station.

    Args:
        policies: by name; each makes a policy for an environment.
        env: id of the source environment.
        stations: of the held-out simulation.
        episodes: in the source, and at each station.
        seed: of the first episode.
        rig: station for ids without an arm.

    Raises:
        InputError: as of `at_stations`.
    """
    source = source_successes(policies, env, episodes, seed, rig)
    target = []
    for make_policy in policies.values():
        results = at_stations(make_policy, env, stations, episodes, seed, rig)
        target.append([[r.success for r in result.records] for result in results])
    return PolicyOutcomes(tuple(policies), source, np.array(target), tuple(stations))


def source_successes(
    policies: Mapping[str, Callable[[Any], Any]],
    env: str,
    episodes: int = EPISODES,
    seed: int = 0,
    rig: str | None = None,
    randomization: str | None = None,
    strength: float = 1.0,
) -> NDArray[np.bool_]:
    """Return each policy's successes (P, E) in the source simulation.

    Args:
        policies: by name; each makes a policy for an environment.
        env: id of the source environment.
        episodes: of each policy; all have the same starts and goals.
        seed: of the first episode.
        rig: station for ids without an arm.
        randomization: of its worlds; default: always the nominal one.
        strength: of the randomization, 0 to 1.

    Raises:
        InputError: there is no such environment or randomization.
    """
    found = []
    for make_policy in policies.values():
        world = make_environment(env, rig, randomization)
        try:
            if randomization is not None:
                world.unwrapped.set_strength(strength)
            records = run_episodes(make_policy(world), world, list(range(seed, seed + episodes)))
        finally:
            world.close()
        found.append([r.success for r in records])
    return np.array(found)


def agreement(outcomes: PolicyOutcomes, seed: int = 0) -> tuple[Predictivity, dict[str, Predictivity]]:
    """Return how well the source tells success over all stations, and at each of them, by its name.

    Args:
        outcomes: of three or more policies.
        seed: of the resampling.
    """
    single = {
        station.name: predictivity(outcomes.source, outcomes.target[:, k], seed)
        for k, station in enumerate(outcomes.stations)
    }
    return predictivity(outcomes.source, outcomes.all_stations(), seed), single
