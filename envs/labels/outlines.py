"""Shapes of bodies, and the few points of a shape whose hull is its outline in a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.bodies import Vector3
from calibration.rig import Rig
from calibration.world import BodyParams
from envs.scene_shapes import body_shape

Points = NDArray[np.float64]

# Sides of the polygon that stands for a circle: its area is 0.7 % too small.
_SIDES = 32
# Pieces of a straight edge where the lens bends it.
_PIECES = 12


@dataclass(frozen=True)
class Shape:
    """A box, an ellipsoid or an elliptic cylinder along z, around the origin; half its size along its axes, metres."""

    kind: Literal["box", "sphere", "cylinder"]
    half_m: Vector3

    def corners_m(self) -> Points:
        """Return the corners (8, 3) of the bounding box in the body's frame; x changes slowest, from - to +."""
        return _signs() * self.half_m


def shape_of(rig: Rig, params: BodyParams) -> Shape | None:
    """Return the shape of a body as it is scaled in a world; None for a URDF arm, which has no simple one."""
    if is_arm(rig, params.name):
        return None
    kind, (x, y, z) = _nominal(rig, params)
    sx, sy, sz = params.shape_scale
    scale = params.size_scale
    return Shape(kind, (x * scale * sx, y * scale * sy, z * scale * sz))


def is_arm(rig: Rig, name: str) -> bool:
    """Return whether the body of this name is the rig's URDF arm."""
    return name == "robot" and rig.robot is not None


def _nominal(rig: Rig, params: BodyParams) -> tuple[Literal["box", "sphere", "cylinder"], Vector3]:
    kind, lengths = body_shape(rig, params)
    if kind == "box":
        return "box", (lengths[0] / 2, lengths[1] / 2, lengths[2] / 2)
    if kind == "sphere":
        return "sphere", (lengths[0], lengths[0], lengths[0])
    return "cylinder", (lengths[0], lengths[0], lengths[1] / 2)


def outline_points(shape: Shape, eye_m: Points, bent: bool = False) -> Points | None:
    """Return points (P, 3) in the body's frame; in a picture taken from the eye their hull is the body's outline.

    A sphere's are on the circle where rays from the eye touch it, a box's its corners, a cylinder's its rims.

    Args:
        shape: the body.
        eye_m: (3,), the camera in the body's frame.
        bent: whether the lens bends straight lines; edges get points between their ends then.

    Returns:
        None when the eye is inside a sphere, which has no outline then.
    """
    half = np.asarray(shape.half_m)
    if shape.kind != "sphere":
        return np.asarray((_bent_points if bent else _straight_points)(shape.kind) * half)
    eye = eye_m / half
    squared = float(eye @ eye)
    if squared <= 1.0:
        return None
    # In units of the half axes the touching circle lies in the plane p . eye = 1.
    across = np.eye(3)[np.argmin(np.abs(eye))]
    first = np.array(_cross(eye, across))
    first /= np.sqrt(first @ first)
    second = np.array(_cross(eye, first)) / np.sqrt(squared)
    ring = _ring() * np.sqrt(1.0 - 1.0 / squared)
    return np.asarray((eye / squared + ring[:, :1] * first + ring[:, 1:] * second) * half)


def _cross(a: Points, b: Points) -> tuple[float, float, float]:
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


@lru_cache(maxsize=1)
def _signs() -> Points:
    return np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])


@lru_cache(maxsize=1)
def _ring() -> Points:
    angle = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)
    return np.column_stack([np.cos(angle), np.sin(angle)])


@lru_cache(maxsize=2)
def _straight_points(kind: str) -> Points:
    if kind == "box":
        return _signs()
    return np.vstack([np.column_stack([_ring(), np.full(_SIDES, z)]) for z in (-1.0, 1.0)])


@lru_cache(maxsize=2)
def _bent_points(kind: str) -> Points:
    if kind == "box":
        corners = _signs()
        ends = [(a, b) for a in range(8) for b in range(a) if np.abs(corners[a] - corners[b]).sum() == 2]
        low, high = (corners[[pair[k] for pair in ends]] for k in (0, 1))
    else:
        rims = _straight_points(kind)
        low, high = rims[:_SIDES], rims[_SIDES:]
    share = np.linspace(0.0, 1.0, _PIECES + 1)[:, None, None]
    return np.asarray((low * (1 - share) + high * share).reshape(-1, 3))
