"""Groups of randomization axes, and a spec that holds some of them at the nominal world."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.world import PHYSICAL, WorldParams, paths
from sim2real.axis_list import GROUPS
from sim2real.distributions import Fixed
from sim2real.randomization import Channel, RandomizationSpec, WorldSampler

# Fields that no axis names for a role are in the group that has them for another one.
_BY_TARGET = {axis.target: group for group, listed in GROUPS.items() for axis in listed}
_BY_KEY = {axis.key: group for group, listed in reversed(GROUPS.items()) for axis in reversed(listed)}
_BY_ROLE = {"background": "background", "distractor": "distractors"}
_BY_OWNER = {"mounts": "camera", **dict.fromkeys(PHYSICAL, "dynamics")}


def groups_of(rig: Rig, spec: RandomizationSpec) -> dict[str, tuple[str, ...]]:
    """Return the paths that a spec varies by group of axes, in the order of `axis_list.GROUPS`.

    Where the rig places what the label is of is in no group: without it there would be nothing to learn.

    Args:
        rig: the station.
        spec: of the rig, as `rig_spec` gives it.
    """
    world = nominal_world(rig)
    placed = {f"joints.{p.joint}.position" for p in rig.placements if p.joint is not None}
    placed |= {f"bodies.{p.body}.{field}" for p in rig.placements for field in ("position_m", "rpy_rad")}
    found: dict[str, list[str]] = {group: [] for group in GROUPS}
    for path in WorldSampler(spec, world).channels:
        if path not in placed:
            found.setdefault(_group(path, world), []).append(path)
    return {group: tuple(sorted(listed)) for group, listed in found.items() if listed}


def chosen_axes(groups: dict[str, tuple[str, ...]], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the paths of each axis named: a group, or one field such as `sensor.noise`; of no name, all groups.

    Raises:
        InputError: a name twice, or one that nothing varies.
    """
    if not names:
        return dict(groups)
    if len(set(names)) < len(names):
        raise InputError(f"--axes must name each axis once, got {', '.join(names)}")
    every = [path for listed in groups.values() for path in listed]
    chosen = {}
    for name in names:
        of_field = tuple(p for p in every if _key(p) == name)
        if name not in groups and not of_field:
            raise InputError(
                f"--axes must name groups that vary ({', '.join(groups)}) or one of their fields, such as "
                f"{_key(every[0]) if every else 'sensor.noise'}, got '{name}'"
            )
        chosen[name] = groups.get(name, of_field)
    return chosen


def held_at_nominal(rig: Rig, spec: RandomizationSpec, name: str, held: Sequence[str]) -> RandomizationSpec:
    """Return a spec in which some paths have their nominal values; all others are drawn as before, value by value.

    Args:
        rig: the station.
        spec: of the rig.
        name: of what is held, for people.
        held: paths.
    """
    nominal = paths(nominal_world(rig))
    fixed = tuple(Channel(path, Fixed(nominal[path])) for path in held)
    return dataclasses.replace(spec.with_channels(fixed), name=f"{spec.name} without {name}")


def _key(path: str) -> str:
    parts = path.split(".")
    return f"{parts[0]}.{parts[-1]}"


def _group(path: str, world: WorldParams) -> str:
    owner, *middle, field = path.split(".")
    role = world.body(middle[0]).role if owner == "bodies" else "*"
    target = f"{owner}.@{role}.{field}" if owner == "bodies" else f"{owner}.*.{field}" if middle else path
    if target in _BY_TARGET:
        return _BY_TARGET[target]
    if role in _BY_ROLE:
        return _BY_ROLE[role]
    return _BY_OWNER.get(owner) or _BY_KEY.get(_key(path), owner)
