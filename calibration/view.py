"""A camera somewhere in the world: from world points to pixels and back to rays and planes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.camera import CameraIntrinsics
from calibration.pose import Pose
from calibration.rig import Rig
from calibration.world import CameraParams


@dataclass(frozen=True)
class CameraView:
    """Intrinsics together with where the camera is."""

    intrinsics: CameraIntrinsics
    world_from_camera: Pose

    @classmethod
    def of(cls, rig: Rig) -> CameraView:
        """Return the rig's nominal camera at the size of its photographs."""
        return cls(rig.camera.intrinsics(), rig.camera.world_from_camera())

    def project(self, points_world: ArrayLike) -> NDArray[np.float64]:
        """Return pixels (N, 2) of world points (N, 3), metres; NaN for points behind the camera."""
        return self.intrinsics.project(self.world_from_camera.inverse().apply(np.reshape(points_world, (-1, 3))))

    def directions(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """Return unit directions (N, 3) in the world, from the camera's centre through pixels (N, 2)."""
        rays = self.world_from_camera.rotation.apply(self.intrinsics.unproject(pixels))
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))

    def resized(self, width_px: int, height_px: int) -> CameraView:
        """Return the view of the image resized to this size."""
        return replace(self, intrinsics=self.intrinsics.resized(width_px, height_px))

    def moved(self, change: CameraParams) -> CameraView:
        """Return the view displaced along and turned about its own axes, with its intrinsics changed as well."""
        own = Pose.from_rotvec("camera", "camera", change.shift_m, change.tilt_rad)
        camera = self.intrinsics.zoomed(change.focal_scale)
        shift = change.distortion_shift + (0.0,) * (len(camera.distortion) - len(change.distortion_shift))
        camera = replace(
            camera,
            cx_px=camera.cx_px + change.principal_shift[0] * camera.width_px,
            cy_px=camera.cy_px + change.principal_shift[1] * camera.height_px,
            distortion=tuple(a + b for a, b in zip(camera.distortion, shift, strict=True)),
        )
        return CameraView(camera, self.world_from_camera @ own)

    def change_from(self, nominal: CameraView) -> CameraParams:
        """Return the change that `nominal.moved` needs to become this view (same principal point)."""
        own = nominal.world_from_camera.inverse() @ self.world_from_camera
        tilt = own.rotation.as_rotvec()
        return CameraParams(
            own.position_m,
            (float(tilt[0]), float(tilt[1]), float(tilt[2])),
            self.intrinsics.fx_px / nominal.intrinsics.fx_px,
        )
