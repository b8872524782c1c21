"""Which values of a world a channel speaks of, and whether it can draw them."""

from __future__ import annotations

from typing import Any

import numpy as np

from calibration.errors import InputError
from calibration.world import PHYSICAL, WorldParams
from sim2real.distributions import Choice, Distribution, Fixed

ROLES = ("object", "surface", "robot", "background", "distractor")
# Two values that are drawn together, as one direction.
_PAIRS = {"light.direction": ("light.azimuth_rad", "light.elevation_rad")}


def resolve(target: str, world: WorldParams, known: dict[str, Any], where: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return, for each stream of draws that a target stands for, its name and the paths that it sets.

    Args:
        target: a path, `bodies.@ROLE.field`, `bodies.*.field`, `joints.*.field`, `lamps.*.field` or `light.direction`.
        world: the nominal one.
        known: its paths.
        where: for the message.

    Raises:
        InputError: the world has no such value, or there is no such role.
    """
    if target in _PAIRS:
        return [(target, _PAIRS[target])]
    if target in known:
        return [(target, (target,))]
    parts = target.split(".")
    found: list[str] = []
    if len(parts) == 3 and parts[0] == "bodies" and parts[1].startswith("@"):
        role, field = parts[1][1:], f".{parts[2]}"
        if role not in ROLES and all(body.role != role for body in world.bodies):
            raise InputError(
                f"randomization {where}: role must be one of {', '.join(ROLES)}, got '@{role}' in '{target}'"
            )
        found = [p for p in (f"bodies.{b.name}{field}" for b in world.bodies if b.role == role) if p in known]
        # A spec for all rigs names roles that a rig may not have.
        if found or any(p.startswith("bodies.") and p.endswith(field) for p in known):
            return [(p, (p,)) for p in found]
    elif len(parts) == 3 and parts[1] == "*":
        found = [p for p in known if p.startswith(f"{parts[0]}.") and p.endswith(f".{parts[2]}")]
        # Every world has lamps or joints in its type, though a rig may have none.
        if not found and not getattr(world, parts[0], True):
            return []
    # A world of single frames has no physics, and a spec may speak of it all the same.
    if not found and parts[0] in PHYSICAL and not getattr(world, parts[0]):
        return []
    if not found:
        shown = ", ".join(list(known)[-12:])
        raise InputError(
            f"randomization {where}: no world parameter '{target}'; known are {shown}, ... and bodies.@ROLE.*"
        )
    return [(p, (p,)) for p in found]


def check_draw(distribution: Distribution, how: str, name: str, nominal: tuple[Any, ...], where: str) -> None:
    """Raise InputError unless the distribution gives values of the kind that the path has.

    Args:
        distribution: what is drawn.
        how: set, add or scale.
        name: of the stream.
        nominal: its elements.
        where: for the message.
    """
    kind = type(nominal[0])
    try:
        drawn: list[Any] = distribution.quantile(np.full((1, len(nominal)), 0.5)).ravel().tolist()
        if isinstance(distribution, Choice):
            drawn = [v for o in distribution.options for v in (o if isinstance(o, tuple) else (o,))]
        elif isinstance(distribution, Fixed) and not isinstance(distribution.value, tuple):
            drawn = [distribution.value]
        for value in drawn:
            _check_value(kind, value)
        if kind in (bool, str) and how != "set":
            raise ValueError(f"it can only be set, not changed by '{how}'")
    except (TypeError, IndexError, ValueError) as error:
        raise InputError(f"randomization {where}: {name} cannot be drawn from {distribution}: {error}") from None


def _check_value(kind: type, value: Any) -> None:
    if kind is bool:
        fits, needed = isinstance(value, bool), "true or false"
    elif kind is str:
        fits, needed = isinstance(value, str), "a name"
    else:
        fits, needed = isinstance(value, int | float) and not isinstance(value, bool), "a number"
    if not fits:
        raise ValueError(f"it is {needed}, not {value!r}")
