"""The renderer for machines with a GPU: worlds of one rig through OpenGL without a screen."""

from __future__ import annotations

from calibration.rig import Rig
from envs.rendering.gpu.rasterizer import GpuRasterizer
from envs.rendering.rig_renderer import RigRenderer


class GpuRenderer(RigRenderer):
    """Draws worlds of one rig by OpenGL."""

    def __init__(self, rig: Rig, samples: int = 4, error_px: float = 0.5) -> None:
        """Load the rig's shapes; see `GpuRasterizer` for the settings.

        Raises:
            InputError: no OpenGL without a screen, or the rig's URDF or one of its meshes cannot be used.
        """
        super().__init__(rig, GpuRasterizer(samples, error_px), GpuRasterizer(1, 2 * error_px))
