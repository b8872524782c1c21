"""What a number of a gap was measured on; numbers of two protocols are not compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from calibration.errors import InputError
from calibration.records import from_plain

Target = Literal["real photographs", "held-out simulation"]
TARGETS: tuple[Target, ...] = ("real photographs", "held-out simulation")


@dataclass(frozen=True)
class Protocol:
    """The frozen conditions of a measurement. Whatever could change a number without anything being better is here.

    Attributes:
        target: what was measured on.
        measure: quantity and unit, such as "cube position, m" or "success rate".
        rule: how frames were divided, or what is varied between episodes, for people.
        scored: names of scored frames, in order; empty for episodes.
        content_sha256: hash of the contents of frames on both sides of the split; empty for episodes.
        environment: id of the environment; empty for frames.
        episode_seeds: of the scored episodes, in order.
        step_limit: of an episode; None for frames.
    """

    target: Target
    measure: str
    rule: str
    scored: tuple[str, ...] = ()
    content_sha256: str = ""
    environment: str = ""
    episode_seeds: tuple[int, ...] = ()
    step_limit: int | None = None

    def __post_init__(self) -> None:
        """Check that something is scored.

        Raises:
            InputError: neither frames nor episodes, or both.
        """
        if bool(self.scored) == bool(self.episode_seeds):
            raise InputError(
                "a protocol scores either frames or episodes, got "
                f"{len(self.scored)} frames and {len(self.episode_seeds)} episodes"
            )

    @property
    def sha256(self) -> str:
        """Return a hash of everything in it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def to_plain(self) -> dict[str, Any]:
        """Return plain data with the hash, for a report."""
        return {**asdict(self), "sha256": self.sha256}


def read_protocol(data: Mapping[str, Any], where: str) -> Protocol:
    """Return the protocol of a report.

    Args:
        data: what `Protocol.to_plain` returned, read back from JSON.
        where: file, for messages.

    Raises:
        InputError: a missing or unknown field, or contents that do not fit the stored hash.
    """
    values = dict(data)
    stored = values.pop("sha256", None)
    protocol = from_plain(Protocol, values, where)
    if stored != protocol.sha256:
        raise InputError(
            f"protocol must have the hash that it was stored with, {stored}, got {protocol.sha256} ({where}); "
            "it was edited: measure again"
        )
    return protocol


def check_same(first: Protocol, second: Protocol, names: tuple[str, str]) -> None:
    """Check that numbers of two protocols may be compared.

    Raises:
        InputError: they may not; the message names the first difference.
    """
    for key, ours in asdict(first).items():
        theirs = asdict(second)[key]
        if ours != theirs:
            raise InputError(
                f"reports must be of one protocol to be compared, got {key} {_short(ours, theirs)} ({names[0]}) and "
                f"{_short(theirs, ours)} ({names[1]}); measure both on the same frames or seeds"
            )


def _short(value: object, other: object) -> str:
    """Return a value for a message; of two lists, their lengths and the first item that the other one lacks."""
    if isinstance(value, tuple) and isinstance(other, tuple):
        own = [v for v in value if v not in other]
        return f"{len(value)} items" + (f", such as {own[0]}" if own else "")
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
