"""What cameras of a station see of worlds, many at a time."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.camera import CameraIntrinsics
from calibration.kinematics import frame_matrices
from calibration.physics import MountParams
from calibration.pose import Pose
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import JointParams, WorldParams
from envs.arm.observation import rpy_of
from envs.arm.readings import Readings
from envs.rendering.choice import RendererName, make_renderer
from envs.rendering.renderer import Renderer
from envs.sensing import measure_through


class Eyes:
    """The cameras of a rig; the renderer is made at first use and may be shared by environments of one process."""

    def __init__(self, rig: Rig, renderer: RendererName = "cpu", threads: int = 1, samples: int = 4) -> None:
        """Keep what to make.

        Args:
            rig: with every body that is drawn.
            renderer: what draws.
            threads: that draw on the CPU; 0 for all cores.
            samples: of a pixel, see `make_renderer`.
        """
        self.rig, self.samples = rig, samples
        self._name: RendererName = renderer
        self._threads = threads
        self._renderer: Renderer | None = None

    def camera(self, size_px: tuple[int, int], name: str = "main") -> CameraIntrinsics:
        """Return a camera of the rig, cropped about its middle to the shape of a picture and resized to it."""
        return cropped_to(self.rig.camera_named(name).intrinsics(), size_px)

    def draw(self, worlds: Sequence[WorldParams], size_px: tuple[int, int], name: str = "main") -> NDArray[np.uint8]:
        """Return what a camera's sensor makes of each world, uint8 (N, H, W, 3)."""
        return self.look(worlds, size_px, name)[0]

    def look(
        self, worlds: Sequence[WorldParams], size_px: tuple[int, int], name: str = "main"
    ) -> tuple[NDArray[np.uint8], Sequence[CameraView]]:
        """Return the same, and the camera of each picture, which is where the world has it."""
        if self._renderer is None:
            self._renderer = make_renderer(self.rig, self._name, self._threads, self.samples)
        if name != "main":
            worlds = [seen_from(self.rig, world, name) for world in worlds]
        images = self._renderer.render(worlds, self.camera(size_px, name))
        seen = np.empty_like(images.rgb)
        for k, world in enumerate(worlds):
            seen[k] = measure_through(
                images.rgb[k], images.depth_m[k], images.views[k].intrinsics, world.lens, world.sensor, world.noise_seed
            )
        return seen, images.views

    def close(self) -> None:
        """Release the renderer; twice is fine."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


def cropped_to(camera: CameraIntrinsics, size_px: tuple[int, int]) -> CameraIntrinsics:
    """Return the camera with the largest middle part of its picture that has the shape of (width, height), resized."""
    width, height = size_px
    scale = min(camera.width_px / width, camera.height_px / height)
    wide, high = round(width * scale), round(height * scale)
    left, top = (camera.width_px - wide) // 2, (camera.height_px - high) // 2
    return camera.cropped(left, top, wide, high).resized(width, height)


def seen_from(rig: Rig, world: WorldParams, name: str) -> WorldParams:
    """Return the world with its camera where a mounted camera of the rig is at this moment."""
    camera = next(c for c in rig.cameras if c.name == name)
    mount = next((m for m in world.mounts if m.name == name), MountParams(name))
    parent = np.eye(4) if camera.parent == "world" else frame_matrices(rig, world)[camera.parent]
    carried = Pose.from_matrix("world", "camera", parent @ camera.world_from_camera().matrix())
    own = Pose.from_rotation("camera", "camera", mount.shift_m, Rotation.from_rotvec(mount.tilt_rad))
    nominal = CameraView.of(rig)
    change = CameraView(nominal.intrinsics, carried @ own).change_from(nominal)
    # Its noise is its own.
    seed = world.noise_seed ^ zlib.crc32(name.encode())
    return dataclasses.replace(world, camera=dataclasses.replace(change, focal_scale=1.0), noise_seed=seed)


def world_of(world: WorldParams, readings: Readings, joints: Sequence[str], objects: Sequence[str]) -> WorldParams:
    """Return the world with joints and objects, named in the order of the readings, where the readings say."""
    positions = dict(zip(joints, readings.joint_positions.tolist(), strict=True))
    poses = dict(zip(objects, readings.body_poses, strict=True))
    bodies = []
    for body in world.bodies:
        if body.name in poses:
            (x, y, z), (roll, pitch, yaw) = poses[body.name][:3].tolist(), rpy_of(poses[body.name][3:]).tolist()
            body = dataclasses.replace(body, position_m=(x, y, z), rpy_rad=(roll, pitch, yaw))
        bodies.append(body)
    # Written out: this is done for every picture, and `replace` takes three times as long.
    moved = tuple(JointParams(j.name, positions.get(j.name, j.position), j.velocity) for j in world.joints)
    return dataclasses.replace(world, bodies=tuple(bodies), joints=moved)


def sized_like(world: WorldParams, other: WorldParams) -> WorldParams:
    """Return a world with objects and surfaces as large, where and as present as in another one."""
    there = {b.name: b for b in other.bodies}
    kept = ("size_scale", "shape_scale", "position_m", "rpy_rad", "present")
    bodies = tuple(
        dataclasses.replace(b, **{name: getattr(there[b.name], name) for name in kept})
        if b.name in there and b.role in ("object", "surface")
        else b
        for b in world.bodies
    )
    return dataclasses.replace(world, bodies=bodies)
