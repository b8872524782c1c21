"""Channels that draw what calibration left open."""

from __future__ import annotations

import re
from collections import defaultdict

from calibration.measured import Measured
from calibration.rig import Rig
from sim2real.correlation import Correlation
from sim2real.distributions import Normal, TruncatedNormal
from sim2real.randomization import Channel

_ELEMENT = re.compile(r"^(.*)\[(\d+)\]$")
# Lengths of the vectors that are measured by elements.
_LENGTHS = {"shift_m": 3, "tilt_rad": 3, "principal_shift": 2, "distortion_shift": 5, "white_balance": 3}
_POSITIVE, _LEAST = ("sensor.noise", "sensor.grain", "sensor.blur_px", "sensor.gamma"), 1e-4
_NEUTRAL = {"white_balance": 1.0}


def measured_channels(rig: Rig) -> tuple[list[Channel], list[Correlation]]:
    """Return a normal channel for everything that the rig's records measured, and how they vary together."""
    channels: list[Channel] = []
    groups: list[Correlation] = []
    for number, entry in enumerate(rig.measured):
        channels += _channels(entry)
        if entry.correlation and len(entry.targets) > 1:
            groups.append(Correlation(f"measured {number + 1}: {entry.source}", entry.targets, entry.correlation))
    return channels, groups


def _channels(entry: Measured) -> list[Channel]:
    vectors: dict[str, dict[int, tuple[float, float]]] = defaultdict(dict)
    found = []
    for target, mean, std in zip(entry.targets, entry.mean, entry.std, strict=True):
        match = _ELEMENT.match(target)
        if match is None:
            # What cannot be negative is cut at 0, about which an upper limit lies symmetrically.
            positive = target in _POSITIVE
            found.append(
                Channel(
                    target,
                    TruncatedNormal(mean, max(std, _LEAST), 0.0, mean + 4.0 * max(std, _LEAST))
                    if positive
                    else Normal(mean, std),
                )
            )
        else:
            vectors[match.group(1)][int(match.group(2))] = (mean, std)
    for target, elements in vectors.items():
        name = target.rsplit(".", 1)[-1]
        missing = (_NEUTRAL.get(name, 0.0), 0.0)
        pairs = [elements.get(k, missing) for k in range(_LENGTHS[name])]
        found.append(Channel(target, Normal(tuple(m for m, _ in pairs), tuple(s for _, s in pairs))))
    return found
