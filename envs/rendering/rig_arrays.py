"""Worlds of one rig as scene arrays; needs no simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.frame_batch import FrameBatch
from calibration.kinematics import urdf_path
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams
from envs.meshes.mesh import MeshLevels
from envs.meshes.primitives import box, cylinder, sphere
from envs.meshes.urdf import urdf_visuals
from envs.rendering.look_arrays import background_arrays, camera_arrays, light_arrays
from envs.rendering.scene_arrays import SceneArrays, pack_geometry
from envs.rendering.texture_pool import TexturePool
from envs.scene_shapes import body_shape

# Of a body, what is not where it is.
_LOOKS = attrgetter(
    "name", "size_scale", "shape_scale", "rgb", "texture", "present", "specular", "roughness", "metallic", "matte"
)
_UNIT: dict[str, MeshLevels] = {"box": box((1.0, 1.0, 1.0)), "sphere": sphere(1.0), "cylinder": cylinder(1.0, 1.0)}


class RigArrays:
    """The shapes of a rig, made once, and the arrays of any number of its worlds."""

    def __init__(self, rig: Rig) -> None:
        """Load the shapes.

        Raises:
            InputError: the rig's URDF or one of its meshes cannot be used.
        """
        self.rig = rig
        self._visuals = urdf_visuals(urdf_path(rig)) if rig.robot is not None else []
        shapes = [*_UNIT.values(), *(v.levels for v in self._visuals)]
        names = sorted({p.texture for s in shapes for m in s.meshes for p in m.parts} - {"none"})
        self._pool = TexturePool(tuple(names))
        self._geometry = pack_geometry(shapes, dict(zip(names, range(len(names)), strict=True)))
        self._local = np.array([v.link_from_visual for v in self._visuals]).reshape(-1, 4, 4)
        self.frames = FrameBatch(rig)
        self._bodies: tuple[str, ...] | None = None
        # What was drawn last, and how it looked: in the steps of an episode only the poses change.
        self._drawn: tuple[tuple[WorldParams, ...], tuple[int, int]] = ((), (0, 0))
        self._looks = _Looks(np.zeros((0, 0, 3)), {})

    def arrays(self, worlds: Sequence[WorldParams], views: Sequence[CameraView]) -> SceneArrays:
        """Return the worlds, one for each view.

        Args:
            worlds: of this rig, all with the same bodies.
            views: pinhole cameras of one size.
        """
        if worlds and self._bodies != tuple(b.name for b in worlds[0].bodies):
            self._table(worlds[0])
        camera = views[0].intrinsics if views else self.rig.input_camera()
        drawn, size = self._drawn[0], (camera.width_px, camera.height_px)
        if self._drawn[1] != size or len(drawn) != len(worlds) or not all(map(_alike, worlds, drawn)):
            self._looks = self._look(worlds, camera)
        self._drawn = tuple(worlds), size
        own, scale = self._own, self._looks.scale[:, :, None, :]
        poses = self.frames.of(worlds)[:, self._instance_frame]
        poses[:, :own, :3, :3] *= scale[:, :own]
        if len(self._visuals):
            poses[:, own:, :3, :3] *= scale[:, own:]
            poses[:, own:] = poses[:, own:] @ self._local
        return SceneArrays(
            geometry=self._geometry,
            textures=self._pool.arrays(),
            camera=camera,
            world_from_instance=poses[:, :, :3].astype(np.float32),
            **camera_arrays(views),
            **self._looks.arrays,
        )

    def _look(self, worlds: Sequence[WorldParams], camera: CameraIntrinsics) -> _Looks:
        """Return all that does not change when bodies, joints and cameras only move."""
        bodies = [world.bodies for world in worlds]
        own, whole = self._own, self._instance_body

        def per_body(name: str, dtype: type, *shape: int) -> NDArray[Any]:
            values = [getattr(b, name) for row in bodies for b in row]
            return np.array(values, dtype).reshape(len(worlds), -1, *shape)

        size = per_body("size_scale", np.float64)[..., None] * per_body("shape_scale", np.float64, 3)
        scale = size[:, whole]
        scale[:, :own] *= self._size
        textures = [b.texture for row in bodies for b in row]
        numbers = np.array(self._pool.numbers(textures), np.int32).reshape(len(worlds), -1)
        material = np.stack(
            [
                per_body("specular", np.float32),
                _exponent(per_body("roughness", np.float64)),
                per_body("metallic", np.float32),
                per_body("matte", np.float32),
            ],
            axis=-1,
        )
        count = len(worlds)
        arrays = dict(
            shape=np.broadcast_to(self._shape, (count, len(self._shape))),
            present=per_body("present", np.bool_)[:, whole],
            segment=np.broadcast_to(whole.astype(np.int16), (count, len(whole))),
            rgb=per_body("rgb", np.float32, 3)[:, whole],
            texture=numbers[:, whole],
            material=material[:, whole].astype(np.float32),
            **light_arrays([w.light for w in worlds], [w.lamps for w in worlds]),
            **background_arrays([w.background for w in worlds], camera),
        )
        return _Looks(scale, arrays)

    def _table(self, world: WorldParams) -> None:
        """Fix which instance belongs to which body and frame."""
        self._bodies = tuple(b.name for b in world.bodies)
        shape, size, instance_body, frame = [], [], [], []
        kinds = list(_UNIT)
        for k, body in enumerate(world.bodies):
            if body.name == "robot" and self.rig.robot is not None:
                continue
            kind, lengths = body_shape(self.rig, body)
            shape.append(kinds.index(kind))
            sides = {"box": lengths, "sphere": lengths[:1] * 3, "cylinder": (*lengths[:1] * 2, *lengths[1:])}[kind]
            size.append(sides)
            instance_body.append(k)
            frame.append(self.frames.index(body.name, world))
        self._own = len(shape)
        if self.rig.robot is not None:
            robot = self._bodies.index("robot")
            for k, visual in enumerate(self._visuals):
                shape.append(len(kinds) + k)
                instance_body.append(robot)
                frame.append(self.frames.index(visual.link, world))
        self._shape = np.array(shape, np.int32)
        self._size = np.array(size, np.float64).reshape(-1, 3)
        self._instance_body = np.array(instance_body, np.int64)
        self._instance_frame = np.array(frame, np.int64)


@dataclass(frozen=True, eq=False)
class _Looks:
    """Of N worlds with I instances: their sizes (N, I, 3), and those of the scene's arrays that tell no pose."""

    scale: NDArray[np.float64]
    arrays: dict[str, Any]


def _alike(world: WorldParams, other: WorldParams) -> bool:
    """Return whether two worlds differ at most in where things are, as far as the same objects show it."""
    return (
        world.light is other.light
        and world.lamps is other.lamps
        and world.background is other.background
        and len(world.bodies) == len(other.bodies)
        and all(a is b or _LOOKS(a) == _LOOKS(b) for a, b in zip(world.bodies, other.bodies, strict=True))
    )


def _exponent(roughness: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return Blinn-Phong exponents: 2 / a^2 - 2 with a the square of the roughness (Karis 2013)."""
    squared = np.clip(roughness, 0.08, 1.0) ** 2
    return np.maximum(2.0 / squared**2 - 2.0, 1.0).astype(np.float32)
