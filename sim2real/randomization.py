"""Randomization as data: channels that draw a world relative to the nominal one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.world import WorldParams, paths
from sim2real.correlation import Correlation, Shared
from sim2real.distributions import Direction, Distribution, Temperature
from sim2real.draws import Draws, Group, How, Stream
from sim2real.philox import stream_keys, uniforms
from sim2real.targets import check_draw, resolve
from sim2real.world_columns import worlds_from_columns

Every = Literal["episode", "interval", "step", "frame"]
EVERY: tuple[Every, ...] = ("episode", "interval", "step", "frame")
_NOISE = "noise_seed"


@dataclass(frozen=True)
class Channel:
    """One thing that varies.

    Attributes:
        target: a path in WorldParams. `bodies.@ROLE.field` stands for every body of the role; `bodies.*.field`,
            `joints.*.field` and `lamps.*.field` for every one; each gets its own draws. `light.direction` stands for
            azimuth and elevation together.
        distribution: what is drawn; a vector gets one draw for each element.
        how: whether the draw replaces the nominal value, is added to it or multiplies it.
        every: how long a draw lasts within an episode: all of it, an interval, a step of control, or one picture. In a
            stream of single frames each frame is an episode.
        interval_s: length of an interval, seconds.
        interval_steps: length of an interval in steps, in place of seconds.
    """

    target: str
    distribution: Distribution
    how: How = "set"
    every: Every = "episode"
    interval_s: float | None = None
    interval_steps: int | None = None

    def __post_init__(self) -> None:
        """Check the interval."""
        lengths = [v for v in (self.interval_s, self.interval_steps) if v is not None]
        if (self.every == "interval") != (len(lengths) == 1) or any(v <= 0 for v in lengths):
            raise ValueError(
                "every 'interval' needs one of interval_s and interval_steps, above 0, and nothing else takes them; "
                f"got every {self.every}, interval_s {self.interval_s}, interval_steps {self.interval_steps}"
            )


@dataclass(frozen=True)
class RandomizationSpec:
    """A name and its channels. A later channel with the same path wins.

    Attributes:
        name: for people.
        channels: what varies.
        correlations: which of them vary together.
        shared: which of them take the same draw.
        calibrated: whether what a rig's calibration measured wins over the channels.
    """

    name: str
    channels: tuple[Channel, ...]
    correlations: tuple[Correlation, ...] = ()
    shared: tuple[Shared, ...] = ()
    calibrated: bool = False

    def with_channels(self, channels: tuple[Channel, ...]) -> RandomizationSpec:
        """Return the spec with more channels at its end."""
        return dataclasses.replace(self, channels=self.channels + channels)


class WorldSampler:
    """Draws worlds of one spec around one nominal world.

    Every path has a random stream of its own, keyed by its name, so a new channel never changes another's
    draws. World number i does not depend on which others are drawn with it.
    """

    def __init__(self, spec: RandomizationSpec, nominal: WorldParams) -> None:
        """Resolve the targets.

        Raises:
            InputError: a target that the world does not have, a draw that cannot fit it, or a group that speaks of
                something that does not vary.
        """
        self.nominal = nominal
        self._plan = plan(spec, nominal)
        self._draws = Draws(*self._plan.of(EVERY))

    @property
    def channels(self) -> dict[str, Channel]:
        """The channel of each path that varies."""
        return dict(self._plan.channels)

    def sample(self, seed: int, index: int = 0, strength: float = 1.0) -> WorldParams:
        """Return world number `index` of a seed; the nominal one is unchanged."""
        return self.sample_many(seed, [index], strength)[0]

    def sample_many(
        self, seed: int, indices: Sequence[int], strength: float | NDArray[np.float64] = 1.0
    ) -> list[WorldParams]:
        """Return the worlds of these numbers; many at once cost far less than one by one.

        Args:
            seed: any integer.
            indices: 0 or more.
            strength: 1 for the draws, 0 for the nominal world, in between for part of the way; or one for each index.
        """
        if not len(indices):
            return []
        numbers = np.asarray(indices, np.uint64)
        slots = np.zeros(1, np.uint64)
        columns = self._draws.columns(seed, numbers, slots, strength)
        return worlds_from_columns(self.nominal, columns, noise_seeds(seed, numbers, slots))


def sample_world(spec: RandomizationSpec, nominal: WorldParams, seed: int) -> WorldParams:
    """Return the world that the spec draws for a seed; the nominal one is unchanged."""
    return WorldSampler(spec, nominal).sample(seed)


def noise_seeds(seed: int, indices: NDArray[np.uint64], slots: NDArray[np.uint64]) -> list[int]:
    """Return a seed of noise, below 2**32, for each index and slot."""
    u = uniforms(stream_keys([_NOISE], seed), np.zeros(1, np.uint64), indices, slots)[0, :, 0]
    return [int(v) for v in u * 2.0**32]


@dataclass(frozen=True, eq=False)
class Plan:
    """A spec for one world.

    Attributes:
        channels: the channel of each path that varies.
        streams: the streams of draws.
        owners: the channel of each stream.
        groups: correlated elements of streams.
    """

    channels: dict[str, Channel]
    streams: tuple[Stream, ...]
    owners: tuple[Channel, ...]
    groups: tuple[Group, ...]

    def of(self, every: Sequence[Every], like: Channel | None = None) -> tuple[list[Stream], list[Group]]:
        """Return the streams that are redrawn this often, and their groups; `like` also fixes the interval."""
        chosen = [
            k
            for k, c in enumerate(self.owners)
            if c.every in every and (like is None or _interval(c) == _interval(like))
        ]
        at = {k: new for new, k in enumerate(chosen)}
        groups = [
            dataclasses.replace(g, members=tuple((at[k], element) for k, element in g.members))
            for g in self.groups
            if g.members[0][0] in at
        ]
        return [self.streams[k] for k in chosen], groups


def plan(spec: RandomizationSpec, nominal: WorldParams) -> Plan:
    """Return which streams of draws the spec needs for a world.

    Raises:
        InputError: as for WorldSampler.
    """
    known = paths(nominal)
    channels: dict[str, Channel] = {}
    found: dict[str, tuple[Channel, tuple[str, ...]]] = {}
    for channel in spec.channels:
        for name, set_paths in resolve(channel.target, nominal, known, spec.name):
            check_draw(channel.distribution, channel.how, name, _elements(known, set_paths), spec.name)
            # The later channel of two with the same path comes last among the streams, so its values win.
            found.pop(name, None)
            found[name] = (channel, set_paths)
            channels.update(dict.fromkeys(set_paths, channel))
    found = {name: f for name, f in found.items() if any(channels[p] is f[0] for p in f[1])}
    stream_of = {name: name for name in found} | _shared_streams(spec, nominal, known, found)
    streams = [
        Stream(
            stream_of[name],
            channel.distribution,
            channel.how,
            _elements(known, set_paths),
            set_paths,
            not isinstance(known[set_paths[0]], tuple),
        )
        for name, (channel, set_paths) in found.items()
    ]
    groups = _groups(spec, nominal, known, list(found), streams, [c for c, _ in found.values()])
    return Plan(channels, tuple(streams), tuple(c for c, _ in found.values()), tuple(groups))


def _elements(known: dict[str, Any], set_paths: tuple[str, ...]) -> tuple[Any, ...]:
    if len(set_paths) > 1:
        return tuple(known[p] for p in set_paths)
    value = known[set_paths[0]]
    return value if isinstance(value, tuple) else (value,)


def _interval(channel: Channel) -> tuple[object, ...]:
    return channel.every, channel.interval_s, channel.interval_steps


def _shared_streams(
    spec: RandomizationSpec, nominal: WorldParams, known: dict[str, Any], found: dict[str, Any]
) -> dict[str, str]:
    streams: dict[str, str] = {}
    for shared in spec.shared:
        for target in shared.targets:
            for name, _ in resolve(target, nominal, known, spec.name):
                if name not in found:
                    raise InputError(f"randomization {spec.name}: shared '{shared.name}': no channel draws {name}")
                if name in streams:
                    raise InputError(f"randomization {spec.name}: {name} is in two groups, second '{shared.name}'")
                streams[name] = f"shared {shared.name}"
    return streams


def _groups(
    spec: RandomizationSpec,
    nominal: WorldParams,
    known: dict[str, Any],
    names: list[str],
    streams: list[Stream],
    owners: list[Channel],
) -> list[Group]:
    groups: list[Group] = []
    taken = {(k, e) for k, s in enumerate(streams) if s.name.startswith("shared ") for e in range(len(s.nominal))}
    for correlation in spec.correlations:
        where = f"randomization {spec.name}: correlation '{correlation.name}'"
        columns = []
        for target in correlation.targets:
            path, _, rest = target.partition("[")
            element = int(rest.removesuffix("]")) if rest.removesuffix("]").isdigit() else 0
            columns.append([(n, element) for n, _ in resolve(path, nominal, known, spec.name)])
        if len({len(column) for column in columns}) != 1:
            raise InputError(f"{where}: targets must stand for as many values each, got {correlation.targets}")
        for members in zip(*columns, strict=True):
            for name, element in members:
                _check_member(where, name, element, names, streams)
            at = [(names.index(name), element) for name, element in members]
            if taken & set(at):
                raise InputError(f"{where}: {members[0][0]} or another of it is in two groups")
            if len({_interval(owners[k]) for k, _ in at}) != 1:
                raise InputError(f"{where}: its channels must be redrawn equally often")
            taken |= set(at)
            own = "" if len(columns[0]) == 1 else f" {members[0][0]}"
            groups.append(Group(f"correlation {correlation.name}{own}", correlation.factor(), tuple(at)))
    return groups


def _check_member(where: str, name: str, element: int, names: list[str], streams: list[Stream]) -> None:
    if name not in names:
        raise InputError(f"{where}: no channel draws {name}")
    stream = streams[names.index(name)]
    if isinstance(stream.distribution, Direction | Temperature):
        raise InputError(f"{where}: {name} is drawn whole from {stream.distribution} and has no elements to correlate")
    if element >= len(stream.nominal):
        raise InputError(f"{where}: {name} has {len(stream.nominal)} elements, got [{element}]")
