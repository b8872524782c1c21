"""Rigid transforms that know their frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class Pose:
    """The transform that maps points given in `child` to `parent`: p_parent = R p_child + t.

    Name variables after both frames, `world_from_camera`, and chain them with `@`.

    Attributes:
        parent: frame the result is expressed in.
        child: frame the input is expressed in.
        position_m: origin of the child frame in the parent frame, metres.
        quat_xyzw: unit quaternion, x y z w, of the rotation.
    """

    parent: str
    child: str
    position_m: tuple[float, float, float]
    quat_xyzw: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        """Check that the quaternion is a rotation and all numbers are finite."""
        if not all(math.isfinite(v) for v in (*self.position_m, *self.quat_xyzw)):
            raise ValueError(f"{self.parent}_from_{self.child} must be finite, got {self}")
        norm = math.sqrt(sum(q * q for q in self.quat_xyzw))
        if abs(norm - 1.0) > 1e-6:
            raise ValueError(f"{self.parent}_from_{self.child}: |quat_xyzw| must be 1, got {norm:.6f}")

    @classmethod
    def from_rotation(cls, parent: str, child: str, position_m: ArrayLike, rotation: Rotation) -> Pose:
        """Return the pose with this rotation and position (3,)."""
        x, y, z = (float(v) for v in np.asarray(position_m, dtype=np.float64))
        qx, qy, qz, qw = (float(v) for v in rotation.as_quat(canonical=True))
        return cls(parent, child, (x, y, z), (qx, qy, qz, qw))

    @classmethod
    def from_rpy(cls, parent: str, child: str, position_m: ArrayLike, rpy_rad: Sequence[float]) -> Pose:
        """Return the pose with URDF's roll, pitch, yaw: rotations about the fixed x, y, z axes, radians."""
        return cls.from_rotation(parent, child, position_m, Rotation.from_euler("xyz", rpy_rad))

    @classmethod
    def from_rotvec(cls, parent: str, child: str, position_m: Vector3, rotvec_rad: Vector3) -> Pose:
        """Return the pose turned about a rotation vector by its length, radians."""
        x, y, z = rotvec_rad
        angle = math.sqrt(x * x + y * y + z * z)
        share = 0.5 if angle < 1e-9 else math.sin(angle / 2) / angle
        return cls(parent, child, position_m, _canonical((x * share, y * share, z * share, math.cos(angle / 2))))

    @classmethod
    def from_matrix(cls, parent: str, child: str, matrix: ArrayLike) -> Pose:
        """Return the pose of a homogeneous (4, 4) matrix."""
        m = np.asarray(matrix, dtype=np.float64)
        return cls.from_rotation(parent, child, m[:3, 3], Rotation.from_matrix(m[:3, :3]))

    @property
    def rotation(self) -> Rotation:
        """The rotation from child to parent."""
        return Rotation.from_quat(self.quat_xyzw)

    def matrix(self) -> NDArray[np.float64]:
        """Return the homogeneous (4, 4) matrix."""
        m = np.eye(4)
        m[:3, :3] = self.rotation.as_matrix()
        m[:3, 3] = self.position_m
        return m

    def inverse(self) -> Pose:
        """Return child_from_parent."""
        inverted = self.rotation.inv()
        return Pose.from_rotation(self.child, self.parent, -inverted.apply(self.position_m), inverted)

    def __matmul__(self, other: Pose) -> Pose:
        """Return a_from_c of a_from_b @ b_from_c.

        Raises:
            ValueError: the inner frames differ.
        """
        if self.child != other.parent:
            raise ValueError(
                f"cannot chain {self.parent}_from_{self.child} with {other.parent}_from_{other.child}: "
                f"'{self.child}' is not '{other.parent}'"
            )
        # Written out, since cameras move in every frame and arrays of three cost ten times as much.
        x, y, z, w = self.quat_xyzw
        a, b, c, d = other.quat_xyzw
        product = (
            w * a + x * d + y * c - z * b,
            w * b - x * c + y * d + z * a,
            w * c + x * b - y * a + z * d,
            w * d - x * a - y * b - z * c,
        )
        px, py, pz = other.position_m
        # v + 2 w (q x v) + 2 q x (q x v).
        ux, uy, uz = 2 * (y * pz - z * py), 2 * (z * px - x * pz), 2 * (x * py - y * px)
        tx, ty, tz = self.position_m
        position = (
            px + w * ux + y * uz - z * uy + tx,
            py + w * uy + z * ux - x * uz + ty,
            pz + w * uz + x * uy - y * ux + tz,
        )
        return Pose(self.parent, other.child, position, _canonical(product))

    def apply(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return points (..., 3) given in the child frame, expressed in the parent frame, metres."""
        p = np.asarray(points, dtype=np.float64)
        return np.asarray(p @ self.rotation.as_matrix().T + np.asarray(self.position_m))


def _canonical(quat: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Return the unit quaternion of the same rotation whose w, or where that is 0 first other number, is positive."""
    x, y, z, w = quat
    norm = math.sqrt(x * x + y * y + z * z + w * w)
    leading = next((v for v in (w, x, y, z) if v != 0.0), 1.0)
    scale = math.copysign(1.0 / norm, leading)
    return x * scale, y * scale, z * scale, w * scale


def look_at(
    eye_m: Sequence[float],
    target_m: Sequence[float],
    up: Sequence[float] = (0.0, 0.0, 1.0),
    parent: str = "world",
    child: str = "camera",
) -> Pose:
    """Return the pose of a camera (x right, y down, z forward) at `eye_m` that looks at `target_m`.

    Raises:
        ValueError: eye and target coincide, or the view is along `up`.
    """
    forward = np.asarray(target_m, dtype=np.float64) - np.asarray(eye_m, dtype=np.float64)
    right = np.cross(forward, np.asarray(up, dtype=np.float64))
    if np.linalg.norm(forward) < 1e-9 or np.linalg.norm(right) < 1e-9:
        raise ValueError(f"look_at needs a target away from the eye and off its up axis, got {eye_m} to {target_m}")
    forward /= np.linalg.norm(forward)
    right /= np.linalg.norm(right)
    rotation = Rotation.from_matrix(np.column_stack([right, np.cross(forward, right), forward]))
    return Pose.from_rotation(parent, child, eye_m, rotation)
