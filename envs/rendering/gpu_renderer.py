"""The renderer for machines with a GPU: worlds of one rig through OpenGL without a screen."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.camera import CameraIntrinsics
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams
from envs.rendering.camera_effects import draw_through
from envs.rendering.gpu.rasterizer import GpuRasterizer
from envs.rendering.renderer import Images
from envs.rendering.rig_arrays import RigArrays


class GpuRenderer:
    """Draws worlds of one rig, many at a time."""

    def __init__(self, rig: Rig, samples: int = 4, error_px: float = 0.5) -> None:
        """Load the rig's shapes; see `GpuRasterizer` for the settings.

        Raises:
            InputError: no OpenGL without a screen, or the rig's URDF or one of its meshes cannot be used.
        """
        self.rig = rig
        self._rasterizer = GpuRasterizer(samples, error_px)
        self._fine = GpuRasterizer(1, 2 * error_px)
        self._arrays = RigArrays(rig)

    def render(self, worlds: Sequence[WorldParams], camera: CameraIntrinsics, normals: bool = False) -> Images:
        """Return pictures of the worlds through the rig's camera with these nominal intrinsics.

        A camera with distortion is drawn wide without it and then warped; a world in which something moves while the
        shutter is open is drawn at several moments.
        """
        nominal = CameraView(camera, self.rig.camera.world_from_camera())
        views = [nominal.moved(world.camera) for world in worlds]
        return draw_through(self._arrays, self._rasterizer, self._fine, worlds, views, normals)

    def close(self) -> None:
        """Release the GPU; twice is fine."""
        self._rasterizer.close()
        self._fine.close()
