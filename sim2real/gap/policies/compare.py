"""Two measurements of policies on the same starts and stations: which is better, and by how much beyond chance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from calibration.errors import InputError
from calibration.estimate import Estimate
from sim2real.gap.held_out import mean_success
from sim2real.gap.policies.drop import change
from sim2real.gap.policies.kept import PlayedPolicies
from sim2real.gap.protocol import check_same

FORMAT = "sim2real.policy_comparison"


@dataclass(frozen=True)
class ComparedPolicy:
    """A policy of both results, or the only one of each.

    Attributes:
        policy: its name; two names where single policies are compared.
        first: success over stations in the first result.
        second: the same in the second one.
        difference: second less first, stations and starts paired; above 0 the second is better.
        verdict: what that says of the second beyond chance.
    """

    policy: str
    first: Estimate
    second: Estimate
    difference: Estimate
    verdict: Literal["worse", "better", "no difference"]


def compare_policies(first: PlayedPolicies, second: PlayedPolicies) -> list[ComparedPolicy]:
    """Return every policy that both results have; where each has one only, those two.

    Raises:
        InputError: other protocols, or no policy in common.
    """
    check_same(first.protocol, second.protocol, (first.name, second.name))
    pairs = [(name, name) for name in first.target if name in second.target]
    if not pairs and len(first.target) == len(second.target) == 1:
        pairs = [(next(iter(first.target)), next(iter(second.target)))]
    if not pairs:
        raise InputError(
            f"results must share a policy to be compared, got {', '.join(first.target)} ({first.name}) and "
            f"{', '.join(second.target)} ({second.name})"
        )
    found = []
    for a, b in pairs:
        ours, theirs = first.target[a], second.target[b]
        difference = change(theirs, ours)
        said: Literal["worse", "better", "no difference"] = "no difference"
        if difference.low > 0 or difference.high < 0:
            said = "better" if difference.low > 0 else "worse"
        name = a if a == b else f"{a} / {b}"
        found.append(ComparedPolicy(name, mean_success(ours), mean_success(theirs), difference, said))
    return found


def as_plain(first: PlayedPolicies, second: PlayedPolicies, rows: list[ComparedPolicy]) -> dict[str, Any]:
    """Return the comparison for JSON."""
    return {
        "format": FORMAT,
        "version": 1,
        "first": first.name,
        "second": second.name,
        "protocol": first.protocol.to_plain(),
        "policies": [asdict(r) for r in rows],
    }


def as_text(first: PlayedPolicies, rows: list[ComparedPolicy]) -> str:
    """Return the comparison as a Markdown table."""

    def shown(e: Estimate, sign: str = "") -> str:
        return f"{100 * e.value:{sign}.0f} [{100 * e.low:{sign}.0f}, {100 * e.high:{sign}.0f}]"

    protocol = first.protocol
    lines = [
        f"{len(protocol.episode_seeds)} episodes a place, {protocol.target} ({protocol.rule}); second less first, "
        "starts paired",
        "",
        "| policy | success of the first, % | of the second, % | difference, points | second is |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.policy} | {shown(r.first)} | {shown(r.second)} | {shown(r.difference, '+')} | {r.verdict} |"
        for r in rows
    ]
    return "\n".join(lines)
