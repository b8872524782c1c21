"""A finished measurement of policies, read for comparison and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.records import read_json
from sim2real.gap.protocol import Protocol, read_protocol

FORMAT, JSON = "sim2real.policy_gap", "policy_gap.json"


@dataclass(frozen=True, eq=False)
class PlayedPolicies:
    """Successes of policies that may be compared.

    Attributes:
        name: of the file or folder, for people.
        protocol: what they were measured on.
        source: successes (E,) in the source, by policy.
        target: successes (S, E) at stations of the held-out simulation, by policy.
    """

    name: str
    protocol: Protocol
    source: Mapping[str, NDArray[np.bool_]]
    target: Mapping[str, NDArray[np.bool_]]


def is_policy_gap(path: Path) -> bool:
    """Return whether a run folder or file is a result of `sim2real policy-gap`.

    Raises:
        InputError: no such file, or no JSON.
    """
    if path.is_dir():
        return (path / JSON).is_file()
    data = read_json(path)
    return isinstance(data, dict) and data.get("format") == FORMAT


def read_policies(path: Path) -> PlayedPolicies:
    """Return the successes of a run folder or result file of `sim2real policy-gap`.

    Raises:
        InputError: something else, or a file that was edited.
    """
    file = path / JSON if path.is_dir() else path
    data: dict[str, Any] = read_json(file)
    if data.get("format") != FORMAT:
        raise InputError(f"a result of policies must have format {FORMAT}, got {data.get('format')} ({file})")
    protocol = read_protocol(data["protocol"], str(file))
    rows = data["policies"]
    return PlayedPolicies(
        str(path),
        protocol,
        {r["name"]: _successes(r["source"]["successes"]) for r in rows},
        {r["name"]: np.stack([_successes(s["successes"]) for s in r["stations"]]) for r in rows},
    )


def _successes(bits: str) -> NDArray[np.bool_]:
    return np.array([bit == "1" for bit in bits], np.bool_)
