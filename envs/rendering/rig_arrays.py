"""Worlds of one rig as scene arrays; needs no simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
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
from envs.rendering.scene_arrays import FLAT, PICTURE, SKY, SceneArrays, pack_geometry
from envs.rendering.texture_pool import TexturePool
from envs.scene_shapes import body_shape
from envs.textures import sky_colours, texture_picture

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

    def arrays(self, worlds: Sequence[WorldParams], views: Sequence[CameraView]) -> SceneArrays:
        """Return the worlds, one for each view.

        Args:
            worlds: of this rig, all with the same bodies.
            views: pinhole cameras of one size.
        """
        if worlds and self._bodies != tuple(b.name for b in worlds[0].bodies):
            self._table(worlds[0])
        bodies = [world.bodies for world in worlds]
        own, whole = self._own, self._instance_body

        def per_body(name: str, dtype: type, *shape: int) -> NDArray[Any]:
            values = [getattr(b, name) for row in bodies for b in row]
            return np.array(values, dtype).reshape(len(worlds), -1, *shape)

        size = per_body("size_scale", np.float64)[..., None] * per_body("shape_scale", np.float64, 3)
        frames = self.frames.of(worlds)
        poses = frames[:, self._instance_frame]
        scaled = poses.copy()
        scaled[:, :own, :3, :3] *= (size[:, whole[:own]] * self._size)[:, :, None, :]
        if len(self._visuals):
            scaled[:, own:, :3, :3] *= size[:, whole[own:], None, :]
            scaled[:, own:] = scaled[:, own:] @ self._local
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
        camera = views[0].intrinsics if views else self.rig.input_camera()
        count = len(worlds)
        return SceneArrays(
            geometry=self._geometry,
            textures=self._pool.arrays(),
            camera=camera,
            focal_px=np.array(
                [(i.fx_px, i.fy_px, i.cx_px, i.cy_px) for i in (v.intrinsics for v in views)], np.float32
            ).reshape(-1, 4),
            camera_from_world=_camera_from_world(views),
            shape=np.broadcast_to(self._shape, (count, len(self._shape))),
            present=per_body("present", np.bool_)[:, whole],
            world_from_instance=scaled[:, :, :3].astype(np.float32),
            segment=np.broadcast_to(whole.astype(np.int16), (count, len(whole))),
            rgb=per_body("rgb", np.float32, 3)[:, whole],
            texture=numbers[:, whole],
            material=material[:, whole].astype(np.float32),
            **_lights(worlds),
            **_backgrounds(worlds, camera),
        )

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


def _exponent(roughness: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return Blinn-Phong exponents: 2 / a^2 - 2 with a the square of the roughness (Karis 2013)."""
    squared = np.clip(roughness, 0.08, 1.0) ** 2
    return np.maximum(2.0 / squared**2 - 2.0, 1.0).astype(np.float32)


def _camera_from_world(views: Sequence[CameraView]) -> NDArray[np.float32]:
    matrices = np.array([v.world_from_camera.matrix() for v in views]).reshape(-1, 4, 4)
    turn = matrices[:, :3, :3].transpose(0, 2, 1)
    shift = -turn @ matrices[:, :3, 3:]
    return np.concatenate([turn, shift], axis=2).astype(np.float32)


def _lights(worlds: Sequence[WorldParams]) -> dict[str, Any]:
    main = np.array(
        [
            (w.light.azimuth_rad, w.light.elevation_rad, w.light.ambient, w.light.diffuse, w.light.specular)
            for w in worlds
        ],
        np.float64,
    ).reshape(-1, 5)
    azimuth, elevation, ambient, diffuse, specular = main.T
    rgb = np.array([w.light.rgb for w in worlds], np.float64).reshape(-1, 3)
    flat = np.cos(elevation)
    towards = np.column_stack(
        [flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation), np.zeros(len(worlds))]
    )
    shadow = np.array(
        [(w.light.shadow_strength * w.light.shadow, w.light.size_rad) for w in worlds], np.float64
    ).reshape(-1, 2)
    light, spread = [towards], [shadow]
    strong, mirror = [diffuse[:, None] * rgb], [specular[:, None] * rgb]
    for k in range(max((len(w.lamps) for w in worlds), default=0)):
        lamps = [w.lamps[k] for w in worlds]
        light.append(np.array([(*lamp.position_m, 1.0) for lamp in lamps]))
        power = np.array([np.array(lamp.rgb) * (lamp.strength * lamp.present) for lamp in lamps])
        strong.append(power * diffuse[:, None])
        mirror.append(power * specular[:, None])
        taken = [w.light.shadow_strength * lamp.shadow for w, lamp in zip(worlds, lamps, strict=True)]
        spread.append(np.column_stack([taken, [lamp.radius_m for lamp in lamps]]))
    return {
        "ambient": np.repeat(ambient[:, None], 3, axis=1).astype(np.float32),
        "light": np.stack(light, axis=1).astype(np.float32),
        "light_diffuse": np.stack(strong, axis=1).astype(np.float32),
        "light_specular": np.stack(mirror, axis=1).astype(np.float32),
        "light_shadow": np.stack(spread, axis=1).astype(np.float32),
    }


def _backgrounds(worlds: Sequence[WorldParams], camera: CameraIntrinsics) -> dict[str, Any]:
    names = [w.background.texture for w in worlds]
    kinds = [FLAT if n == "none" else SKY if n.startswith("sky:") else PICTURE for n in names]
    shown = sorted({n for n, k in zip(names, kinds, strict=True) if k == PICTURE})
    size = (camera.width_px, camera.height_px)
    pictures = [cv2.resize(texture_picture(n), size, interpolation=cv2.INTER_LINEAR) for n in shown]
    none = np.zeros((4, 3), np.float32)
    return {
        "background_kind": np.array(kinds, np.int32),
        "background_rgb": np.array([w.background.rgb for w in worlds], np.float32).reshape(-1, 3),
        "background_picture": np.array(
            [shown.index(n) if k == PICTURE else 0 for n, k in zip(names, kinds, strict=True)], np.int32
        ),
        "background_sky": np.array(
            [sky_colours(n) if k == SKY else none for n, k in zip(names, kinds, strict=True)], np.float32
        ).reshape(-1, 4, 3),
        "pictures": np.array(pictures, np.uint8).reshape(-1, camera.height_px, camera.width_px, 3),
    }
