"""Randomization as data: channels that draw a world relative to the nominal one."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from calibration.errors import InputError
from calibration.world import WorldParams, paths, with_values
from sim2real.distributions import Distribution

How = Literal["set", "add", "scale"]
_NOISE_SEED = zlib.crc32(b"noise_seed")


@dataclass(frozen=True)
class Channel:
    """One thing that varies.

    Attributes:
        target: a path in WorldParams. `bodies.@ROLE.field` stands for every body of the role,
            `bodies.*.field` and `joints.*.position` for every one; each gets its own draws.
        distribution: what is drawn; a vector gets one draw for each element.
        how: whether the draw replaces the nominal value, is added to it or multiplies it.
    """

    target: str
    distribution: Distribution
    how: How = "set"


@dataclass(frozen=True)
class RandomizationSpec:
    """A name and its channels. A later channel with the same path wins."""

    name: str
    channels: tuple[Channel, ...]

    def with_channels(self, channels: tuple[Channel, ...]) -> RandomizationSpec:
        """Return the spec with more channels at its end."""
        return dataclasses.replace(self, channels=self.channels + channels)


class WorldSampler:
    """Draws worlds of one spec around one nominal world.

    Every path has a random stream of its own, keyed by its name, so a new channel never changes another's
    draws.
    """

    def __init__(self, spec: RandomizationSpec, nominal: WorldParams) -> None:
        """Resolve the targets.

        Raises:
            InputError: a target that the world does not have, or a draw that cannot fit it.
        """
        self._nominal = nominal
        self._streams = _Streams()
        known = paths(nominal)
        self._channels: dict[str, tuple[int, Channel, Any]] = {}
        for channel in spec.channels:
            for path in _resolve(channel.target, nominal, known, spec.name):
                _check_kind(channel, path, known[path], spec.name)
                self._channels[path] = (zlib.crc32(path.encode()), channel, known[path])

    @property
    def channels(self) -> dict[str, Channel]:
        """The channel of each path that varies."""
        return {path: channel for path, (_, channel, _) in self._channels.items()}

    def sample(self, seed: int, index: int = 0) -> WorldParams:
        """Return world number `index` of a seed; the nominal one is unchanged."""
        values = {}
        for path, (key, channel, nominal) in self._channels.items():
            values[path] = _draw(channel, nominal, self._streams.at(key, seed, index))
        noise = int(self._streams.at(_NOISE_SEED, seed, index).integers(2**32))
        return dataclasses.replace(with_values(self._nominal, values), noise_seed=noise)


def sample_world(spec: RandomizationSpec, nominal: WorldParams, seed: int) -> WorldParams:
    """Return the world that the spec draws for a seed; the nominal one is unchanged."""
    return WorldSampler(spec, nominal).sample(seed)


class _Streams:
    """Independent random streams: Philox (Salmon et al. 2011), keyed by channel and seed, counter by world.

    One generator is set to each stream in turn, ten times faster than a new one.
    """

    def __init__(self) -> None:
        self._bits = np.random.Philox(key=0)
        self._generator = np.random.Generator(self._bits)
        self._fresh = self._bits.state

    def at(self, key: int, seed: int, index: int) -> np.random.Generator:
        """Return the generator at the start of a stream; it is valid until the next call."""
        self._fresh["state"]["key"] = np.array([key, seed], np.uint64)
        self._fresh["state"]["counter"] = np.array([0, 0, 0, index], np.uint64)
        self._bits.state = self._fresh
        return self._generator


def _draw(channel: Channel, nominal: Any, rng: np.random.Generator) -> Any:
    combine: dict[str, Callable[[Any, Any], Any]] = {
        "set": lambda n, d: d,
        "add": lambda n, d: n + d,
        "scale": lambda n, d: n * d,
    }
    if isinstance(nominal, tuple):
        drawn = [channel.distribution.sample(rng, k) for k in range(len(nominal))]
        return tuple(float(combine[channel.how](n, d)) for n, d in zip(nominal, drawn, strict=True))
    value = combine[channel.how](nominal, channel.distribution.sample(rng, 0))
    return type(nominal)(value)


def _resolve(target: str, world: WorldParams, known: dict[str, Any], where: str) -> list[str]:
    parts = target.split(".")
    found = [target] if target in known else []
    if len(parts) == 3 and parts[0] == "bodies" and parts[1].startswith("@"):
        # A spec for all rigs names roles that a rig may not have.
        bodies = [b.name for b in world.bodies if b.role == parts[1][1:]]
        found = [p for p in (f"bodies.{name}.{parts[2]}" for name in bodies) if p in known]
        if not found and not any(p.endswith(f".{parts[2]}") for p in known if p.startswith("bodies.")):
            raise _unknown(target, known, where)
        return found
    if len(parts) == 3 and parts[1] == "*":
        found = [p for p in known if p.startswith(f"{parts[0]}.") and p.endswith(f".{parts[2]}")]
    if not found:
        raise _unknown(target, known, where)
    return found


def _unknown(target: str, known: dict[str, Any], where: str) -> InputError:
    shown = ", ".join(list(known)[-12:])
    return InputError(
        f"randomization {where}: no world parameter '{target}'; known are {shown}, ... and bodies.@ROLE.*"
    )


def _check_kind(channel: Channel, path: str, nominal: Any, where: str) -> None:
    try:
        _draw(channel, nominal, np.random.default_rng(0))
    except (TypeError, IndexError, ValueError) as error:
        raise InputError(
            f"randomization {where}: {path} cannot be drawn from {channel.distribution}: {error}"
        ) from None
    drawn = channel.distribution.sample(np.random.default_rng(0), 0)
    for kind, name in ((bool, "true or false"), (str, "a name")):
        if isinstance(nominal, kind) and not isinstance(drawn, kind):
            raise InputError(f"randomization {where}: {path} is {name}, got {channel.distribution}")
