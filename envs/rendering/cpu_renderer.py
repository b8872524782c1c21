"""The default renderer: worlds of one rig through the CPU rasteriser, on all cores, without a simulator."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.camera import CameraIntrinsics
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams
from envs.rendering.camera_effects import draw_through
from envs.rendering.cpu.rasterizer import CpuRasterizer
from envs.rendering.renderer import Images
from envs.rendering.rig_arrays import RigArrays


class CpuRenderer:
    """Draws worlds of one rig, many at a time."""

    def __init__(self, rig: Rig, threads: int = 0, samples: int = 4, error_px: float = 0.5) -> None:
        """Load the rig's shapes; see `CpuRasterizer` for the settings.

        Raises:
            InputError: the rig's URDF or one of its meshes cannot be used.
        """
        self.rig = rig
        self._arrays = RigArrays(rig)
        self._rasterizer = CpuRasterizer(threads, samples, error_px)
        self._fine = CpuRasterizer(threads, 1, 2 * error_px)

    def render(self, worlds: Sequence[WorldParams], camera: CameraIntrinsics, normals: bool = False) -> Images:
        """Return pictures of the worlds through the rig's camera with these nominal intrinsics.

        A camera with distortion is drawn wide without it and then warped; a world in which something moves while the
        shutter is open is drawn at several moments.
        """
        nominal = CameraView(camera, self.rig.camera.world_from_camera())
        views = [nominal.moved(world.camera) for world in worlds]
        return draw_through(self._arrays, self._rasterizer, self._fine, worlds, views, normals)

    def close(self) -> None:
        """Stop the threads; twice is fine."""
        self._rasterizer.close()
        self._fine.close()
