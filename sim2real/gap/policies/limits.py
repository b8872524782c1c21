"""Success that policies must have, so that a lab can gate a deployment on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from calibration.errors import InputError
from calibration.records import from_plain
from sim2real.gap.held_out import mean_success
from sim2real.gap.limits import read_table, verdict
from sim2real.gap.policies.kept import PlayedPolicies

Number = Literal["mean", "lower", "worst"]


@dataclass(frozen=True)
class SuccessLimit:
    """One line of a limits file.

    Attributes:
        policy: its name in the result.
        at_least: smallest success allowed in the held-out simulation, 0 to 1.
        number: mean over stations, lower end of its 95 % interval, or mean at the worst station.
    """

    policy: str
    at_least: float
    number: Number = "lower"


@dataclass(frozen=True)
class SuccessLimitsFile:
    """What a limits file for policies holds: `[[success]]` tables.

    Attributes:
        success: the limits.
        fewest_episodes: that must have been played at each station.
    """

    success: tuple[SuccessLimit, ...]
    fewest_episodes: int = 1


@dataclass(frozen=True)
class CheckedSuccess:
    """A limit and what was found."""

    limit: SuccessLimit
    found: float
    kept: bool


def read_success_limits(path: Path) -> SuccessLimitsFile:
    """Return the limits of a TOML file.

    Raises:
        InputError: no such file, no TOML, unknown fields, no limit, or one that no success can keep or break.
    """
    data = read_table(path)
    if "success" not in data:
        raise InputError(f"limits of policies {path} must hold [[success]] tables: policy, at_least, number; got none")
    limits = from_plain(SuccessLimitsFile, data, str(path))
    for limit in limits.success:
        if not 0 < limit.at_least <= 1:
            raise InputError(
                f"at_least must be above 0 and at most 1, got {limit.at_least} for policy '{limit.policy}' ({path})"
            )
    return limits


def check_success(played: PlayedPolicies, limits: SuccessLimitsFile, where: str) -> list[CheckedSuccess]:
    """Return for every limit what was found and whether it is kept.

    Raises:
        InputError: a policy that the result does not have, or fewer episodes than the file asks for.
    """
    episodes = len(played.protocol.episode_seeds)
    if episodes < limits.fewest_episodes:
        raise InputError(f"limits ask for {limits.fewest_episodes} episodes a station, got {episodes} ({where})")
    found = []
    for limit in limits.success:
        if limit.policy not in played.target:
            raise InputError(f"policy must be one of {'; '.join(played.target)}, got '{limit.policy}' ({where})")
        successes = played.target[limit.policy]
        over = mean_success(successes)
        value = {"mean": over.value, "lower": over.low, "worst": float(successes.mean(axis=1).min())}[limit.number]
        found.append(CheckedSuccess(limit, value, value >= limit.at_least))
    return found


def as_text(played: PlayedPolicies, checked: list[CheckedSuccess]) -> str:
    """Return one line a limit, and the verdict."""
    lines = [
        f"{'kept' if c.kept else 'BROKEN'}: {c.limit.policy}: {c.limit.number} success {100 * c.found:.0f} %, at least "
        f"{100 * c.limit.at_least:.0f} %"
        for c in checked
    ]
    target = f"{len(played.protocol.episode_seeds)} episodes a station, {played.protocol.target}"
    return "\n".join([*lines, verdict([c.kept for c in checked], target)])
