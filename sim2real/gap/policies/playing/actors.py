"""Policies by name: an expert, an expert with a stated fault, or what a run left behind; with or without an eye."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from calibration.errors import InputError
from policies.scripted.degraded import FAULTS, Degraded
from sim2real.environments import make_environment
from sim2real.policy_configs import PolicyGapConfig, RolloutConfig
from sim2real.rollout import actor

Sight = Literal["true state", "eye", "own pictures"]
_FAULTY = "expert:"
# Of noise and laziness; any number, the same for all, so that faults of one episode go with those of another policy.
_FAULT_SEED = 1


@dataclass(frozen=True, eq=False)
class Actor:
    """A policy with its way of seeing.

    Attributes:
        sight: how it knows where the objects are.
        kwargs: of environments in which it can act.
        make: makes it for an environment, given the number of its first episode there.
    """

    sight: Sight
    kwargs: Mapping[str, Any]
    make: Callable[[Any, int], Any]


@dataclass(frozen=True, eq=False)
class Contender:
    """A policy that is measured.

    Attributes:
        name: for people; no two have the same.
        acting: as it would act on a robot.
        knowing: the same with the true state in place of what an eye finds; None where nothing stands between.
    """

    name: str
    acting: Actor
    knowing: Actor | None


def find_contenders(config: PolicyGapConfig) -> list[Contender]:
    """Return the policies, each of which has been made once to see that it fits.

    Raises:
        InputError: no such fault or policy, or one that does not fit the environment.
    """
    names = _names(config.policies)
    found = []
    for given, name in zip(config.policies, names, strict=True):
        plain = _actor(config, given, None)
        seeing = _actor(config, given, config.see) if config.see is not None and not plain.kwargs else None
        contender = Contender(name, seeing or plain, None if seeing is None else plain)
        for one in (contender.acting, contender.knowing):
            if one is not None:
                _check(config, one)
        found.append(contender)
    return found


def _actor(config: PolicyGapConfig, given: str, see: Path | None) -> Actor:
    fault = None
    if given.startswith(_FAULTY):
        word = given.removeprefix(_FAULTY).strip()
        if word not in FAULTS:
            raise InputError(f"a fault of the expert must be one of {', '.join(FAULTS)}, got '{given}'")
        given, fault = "expert", FAULTS[word]
    kwargs, make = actor(RolloutConfig(config.env, config.out, given, see=see, rig=config.rig))

    def made(env: Any, first: int) -> Any:
        policy = make(env)
        return policy if fault is None else Degraded(policy, fault, _FAULT_SEED, first)

    sight: Sight = "eye" if see is not None else "own pictures" if kwargs else "true state"
    return Actor(sight, kwargs, made)


def _check(config: PolicyGapConfig, one: Actor) -> None:
    env = make_environment(config.env, config.rig, config.randomization, **one.kwargs)
    try:
        one.make(env, 0)
    finally:
        env.close()


def _names(given: tuple[str, ...]) -> list[str]:
    """Return a name for each policy: a folder's own, or its whole path where two have the same.

    Raises:
        InputError: no policy, or one that is given twice.
    """
    if not given:
        raise InputError("--policies must name at least one policy, got none")
    repeated = [one for one, count in Counter(given).items() if count > 1]
    if repeated:
        raise InputError(f"--policies must differ, got {repeated[0]} more than once")
    short = [
        one.replace(":", ", ", 1) if one == "expert" or one.startswith(_FAULTY) else Path(one).name for one in given
    ]
    counts = Counter(short)
    return [one if counts[name] > 1 else name for one, name in zip(given, short, strict=True)]
