"""Where the frames of many worlds of one rig are, all at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.kinematics import Link, kinematic_chain
from calibration.rig import Rig
from calibration.world import BodyParams, WorldParams

Matrices = NDArray[np.float64]


class FrameBatch:
    """The frames of a rig, numbered; gives the same matrices as `calibration.kinematics.frame_matrices`."""

    def __init__(self, rig: Rig) -> None:
        """Read the rig's kinematic tree."""
        self._rig = rig
        self._chain = kinematic_chain(rig)
        self._number = {"world": 0} | {link.child: k + 1 for k, link in enumerate(self._chain)}
        self._root = next((k for k, link in enumerate(self._chain) if rig.robot is not None and _is_root(link)), None)
        self._parent_numbers = [self._number[link.parent] for link in self._chain]
        self._offset = np.array([link.offset for link in self._chain]).reshape(-1, 4, 4)
        self._joints: tuple[str, ...] = ()
        self._turning, self._sliding = _Moved([], (), ()), _Moved([], (), ())
        self._bodies: tuple[str, ...] = ()
        self._parents: NDArray[np.int64] = np.zeros(0, np.int64)

    def index(self, name: str, world: WorldParams) -> int:
        """Return the number of a frame: "world", a joint, a URDF link or a body of the world."""
        if name in self._number:
            return self._number[name]
        return len(self._chain) + 1 + [b.name for b in world.bodies].index(name)

    def of(self, worlds: Sequence[WorldParams]) -> Matrices:
        """Return world_from_frame (N, F, 4, 4) of worlds that all have the same bodies."""
        count = len(worlds)
        if not count:
            return np.zeros((0, len(self._chain) + 1, 4, 4))
        bodies = worlds[0].bodies
        position = np.array([b.position_m for w in worlds for b in w.bodies]).reshape(count, -1, 3)
        rpy = np.array([b.rpy_rad for w in worlds for b in w.bodies]).reshape(count, -1, 3)
        own = pose_matrices(position, rpy)
        frames = np.empty((count, len(self._chain) + 1 + len(bodies), 4, 4))
        frames[:, 0] = np.eye(4)
        self._move_chain(frames, worlds, own)
        names = tuple(b.name for b in bodies)
        if names != self._bodies:
            self._bodies = names
            self._parents = np.array([self._number[self._parent(b)] for b in bodies], np.int64)
        first = len(self._chain) + 1
        frames[:, first:] = frames[:, self._parents] @ own
        if self._root is not None and "robot" in names:
            frames[:, first + names.index("robot")] = frames[:, self._root + 1]
        return frames

    def _parent(self, body: BodyParams) -> str:
        free = body.role == "distractor" or self._is_robot(body.name)
        return "world" if free else self._rig.body(body.name).parent

    def _is_robot(self, name: str) -> bool:
        return name == "robot" and self._rig.robot is not None

    def _move_chain(self, frames: Matrices, worlds: Sequence[WorldParams], own: Matrices) -> None:
        names = tuple(j.name for j in worlds[0].joints)
        if names != self._joints:
            self._joints = names
            moved = [k for k, link in enumerate(self._chain) if link.joint in names]
            self._turning = _Moved([k for k in moved if not self._chain[k].prismatic], self._chain, names)
            self._sliding = _Moved([k for k in moved if self._chain[k].prismatic], self._chain, names)
        positions = np.array([[j.position for j in w.joints] for w in worlds]).reshape(len(worlds), -1)
        step = np.empty((len(worlds), *self._offset.shape))
        step[:] = self._offset
        robot = next((k for k, b in enumerate(worlds[0].bodies) if self._is_robot(b.name)), None)
        if self._root is not None and robot is not None:
            step[:, self._root] = self._offset[self._root] @ own[:, robot]
        if len(turning := self._turning.links):
            turned = turns(self._turning.axes, positions[:, self._turning.joints])
            step[:, turning, :3, :3] = self._offset[turning, :3, :3] @ turned
        if len(sliding := self._sliding.links):
            way = (self._offset[sliding, :3, :3] @ self._sliding.axes[..., None])[..., 0]
            step[:, sliding, :3, 3:] += (way * positions[:, self._sliding.joints, None])[..., None]
        for k, parent in enumerate(self._parent_numbers):
            np.matmul(frames[:, parent], step[:, k], out=frames[:, k + 1])


class _Moved:
    """Links of one kind of joint: their numbers, axes, and columns in the positions of the joints."""

    def __init__(self, links: list[int], chain: Sequence[Link], names: tuple[str, ...]) -> None:
        self.links = np.array(links, np.int64)
        self.axes = np.array([chain[k].axis for k in links]).reshape(-1, 3)
        self.joints = np.array([names.index(str(chain[k].joint)) for k in links], np.int64)


def _is_root(link: object) -> bool:
    return getattr(link, "parent", None) == "world" and getattr(link, "joint", None) is None


def pose_matrices(position_m: NDArray[np.float64], rpy_rad: NDArray[np.float64]) -> Matrices:
    """Return matrices (..., 4, 4) of positions (..., 3) and fixed-axis roll, pitch, yaw (..., 3)."""
    out = np.zeros((*position_m.shape[:-1], 4, 4))
    cosine, sine = np.cos(rpy_rad), np.sin(rpy_rad)
    cr, cp, cy, sr, sp, sy = (part[..., k] for part in (cosine, sine) for k in range(3))
    out[..., 0, 0], out[..., 0, 1], out[..., 0, 2] = cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr
    out[..., 1, 0], out[..., 1, 1], out[..., 1, 2] = sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr
    out[..., 2, 0], out[..., 2, 1], out[..., 2, 2] = -sp, cp * sr, cp * cr
    out[..., :3, 3] = position_m
    out[..., 3, 3] = 1.0
    return out


def turns(axes: NDArray[np.float64], angle: NDArray[np.float64]) -> Matrices:
    """Return rotations (N, A, 3, 3) about unit axes (A, 3) by angles (N, A) (Rodrigues' formula)."""
    k = np.zeros((len(axes), 3, 3))
    k[:, 2, 1], k[:, 0, 2], k[:, 1, 0] = axes.T
    k -= k.transpose(0, 2, 1)
    sine, cosine = np.sin(angle)[..., None, None], np.cos(angle)[..., None, None]
    return np.asarray(np.eye(3) + sine * k + (1.0 - cosine) * (k @ k))
