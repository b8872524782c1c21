"""Attribution of moving at pretend stations: a policy's episodes with hidden values of one cause at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.world import WorldParams, with_values
from envs.standin import Station
from envs.standin.causes import CAUSES
from sim2real.environments import make_environment, make_held_out
from sim2real.gap.attribution import Attribution, attribute, difference_from_target
from sim2real.gap.planted import Measure

Float = NDArray[np.float64]

# The group that no station's file can mend: the source's engine (PyBullet) in place of the held-out simulation's.
ENGINE = "physics engine"


def moving_causes() -> tuple[str, ...]:
    """Return the causes that episodes of a policy which knows the state can differ by."""
    return tuple(name for name, cause in CAUSES.items() if cause.of == "moving")


def attribute_behaviour(
    make_policy: Callable[[Any], Any],
    env: str,
    station: Station,
    episodes: int,
    seed: int,
    rig: str | None = None,
    causes: Sequence[str] | None = None,
    measure: Measure = "difference",
) -> Attribution:
    """Return what each cause, and the engine, explains of how a policy's episodes go at a pretend station.

    Every set of causes has the same starts and goals, so episodes are paired. One group more than the causes is the
    engine: with it, the target's physics; without it, the source's.

    Args:
        make_policy: makes the policy for an environment; called once a set of causes.
        env: id of the source environment.
        station: whose hidden values are the target's.
        episodes: for every set of causes.
        seed: of the first episode; the others have the next numbers.
        rig: station for ids without an arm.
        causes: that are told apart; default: all of moving.
        measure: "difference", how far tool and objects are from where they are at the station, metres, mean over the
            steps of an episode (after its end they stay); or "loss", 1 for a failure and 0 for a success.

    Raises:
        InputError: no such environment, MuJoCo is not installed, or a policy that does not fit.
    """
    groups = (*(causes or moving_causes()), ENGINE)
    source, target = make_environment(env, rig), make_held_out(env, station, rig)
    nominal: WorldParams = source.unwrapped.task.nominal_world()
    hidden = station.hidden(target.unwrapped.rig, nominal)
    known: dict[frozenset[str], tuple[Float, Float]] = {}

    def went(taken: frozenset[str]) -> tuple[Float, Float]:
        """Return places (N, T + 1, P, 3) and failures (N,)."""
        # A cause that is nominal at this station changes nothing, so sets that differ by it need one run.
        other = frozenset(name for name in taken if name in hidden or name == ENGINE)
        if other not in known:
            values = {path: v for name in sorted(other - {ENGINE}) for path, v in hidden[name].items()}
            place = target if ENGINE in other else source
            known[other] = _episodes(make_policy(place), place, with_values(nominal, values), episodes, seed)
        return known[other]

    try:
        if measure == "difference":
            return attribute(groups, difference_from_target(groups, lambda taken: went(taken)[0]), "m")
        return attribute(groups, lambda taken: went(taken)[1], "1")
    finally:
        source.close()
        target.close()


def _episodes(policy: Any, env: Any, world: WorldParams, count: int, seed: int) -> tuple[Float, Float]:
    """Return where tool and objects were at every step, (N, T + 1, P, 3) metres, and 1 for each failure."""
    inner, limit = env.unwrapped, env.spec.max_episode_steps
    places, failed = [], []
    for k in range(count):
        observation, info = env.reset(seed=seed + k, options={"world": world})
        state, start, track, ended = None, np.ones(1, np.bool_), [_places(inner)], False
        while not ended:
            action, state = policy.predict(observation, state, start, True)
            observation, _, terminated, truncated, info = env.step(action)
            start, ended = np.zeros(1, np.bool_), terminated or truncated
            track.append(_places(inner))
        places.append(np.stack(track + track[-1:] * (limit + 1 - len(track))))
        failed.append(0.0 if info["is_success"] else 1.0)
    return np.stack(places), np.array(failed)


def _places(inner: Any) -> Float:
    return np.stack([inner.tool_position(), *(inner.object_position(name) for name in inner.task.objects)])
