"""Where labels of a rig can be, by its placements and joint limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.kinematics import nominal_world
from calibration.lifting import label_point
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams

Array = NDArray[np.float64]

_WORLDS = 128
# A placement says where objects are simulated; a person may put them somewhat beyond.
_SLACK, _SLACK_OF_LARGEST, _LABEL_STDS = 0.5, 0.1, 3.0
_JOINT_SLACK = 0.1
# Share of the picture's size by which a keypoint may lie beyond its border: a clipped target has its centre outside.
_BEYOND_PICTURE = 0.5


@dataclass(frozen=True, eq=False)
class Workspace:
    """Where the label point of a rig can be, in the label's frame.

    Attributes:
        low: (3,), smallest x, y, z of the placements, metres.
        high: (3,), largest.
        slack_m: (3,), how far beyond a label may lie before it is in doubt.
    """

    low: Array
    high: Array
    slack_m: Array

    @classmethod
    def of(cls, rig: Rig) -> Workspace:
        """Return the workspace of a rig: the box around the label points of worlds drawn from its placements."""
        low, high = _box(rig)
        size = high - low
        slack = _SLACK * size + _SLACK_OF_LARGEST * size.max() + _LABEL_STDS * rig.label.std_m
        return cls(low, high, slack)

    @property
    def centre(self) -> Array:
        """The middle (3,) of the box, metres."""
        return (self.low + self.high) / 2

    def outside(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Return which label points (N, 3) lie beyond the box and its slack; NaN does."""
        p = np.reshape(np.asarray(points, dtype=np.float64), (-1, 3))
        return np.asarray(~((p >= self.low - self.slack_m) & (p <= self.high + self.slack_m)).all(axis=1))

    def __str__(self) -> str:
        """Return `x -1.30 to -0.46, y ..., z ... m`."""
        parts = (f"{n} {a:.3g} to {b:.3g}" for n, a, b in zip("xyz", self.low, self.high, strict=True))
        return ", ".join(parts) + " m"


@lru_cache(maxsize=8)
def _box(rig: Rig) -> tuple[Array, Array]:
    rng, nominal = np.random.default_rng(0), nominal_world(rig)
    points = np.array([label_point(rig, _placed(rig, nominal, rng)) for _ in range(_WORLDS)])
    return points.min(axis=0), points.max(axis=0)


def _placed(rig: Rig, world: WorldParams, rng: np.random.Generator) -> WorldParams:
    """Return the world with every placed body and joint somewhere in its range; free joints within their limits."""
    bodies = {b.name: b for b in world.bodies}
    joints = {j.name: j for j in world.joints}
    for joint in rig.joints:
        joints[joint.name] = replace(joints[joint.name], position=float(rng.uniform(*joint.limits)))
    for p in rig.placements:
        if p.body is not None and p.x_m and p.y_m and p.z_m:
            x, y, z, yaw = (float(rng.uniform(*r)) for r in (p.x_m, p.y_m, p.z_m, p.yaw_rad))
            body = bodies[p.body]
            bodies[p.body] = replace(body, position_m=(x, y, z), rpy_rad=(*body.rpy_rad[:2], yaw))
        elif p.joint is not None and p.range is not None:
            joints[p.joint] = replace(joints[p.joint], position=float(rng.uniform(*p.range)))
    return replace(world, bodies=tuple(bodies.values()), joints=tuple(joints.values()))


def joints_outside(rig: Rig, joints: dict[str, float]) -> list[str]:
    """Return the names of joints whose position is beyond the limits of the rig by more than a tenth of their range."""
    names = []
    for joint in rig.joints:
        low, high = joint.limits
        slack = _JOINT_SLACK * (high - low)
        if joint.name in joints and not low - slack <= joints[joint.name] <= high + slack:
            names.append(joint.name)
    return names


def off_picture(view: CameraView, points_world: ArrayLike) -> NDArray[np.bool_]:
    """Return which of N frames have a keypoint (N, K, 3) behind the camera or far beyond the border of the picture."""
    points = np.asarray(points_world, dtype=np.float64)
    size = np.array([view.intrinsics.width_px, view.intrinsics.height_px])
    pixels = view.project(points.reshape(-1, 3)).reshape(*points.shape[:2], 2)
    within = (pixels >= -_BEYOND_PICTURE * size) & (pixels <= (1 + _BEYOND_PICTURE) * size)
    return np.asarray(~within.all(axis=(1, 2)))
