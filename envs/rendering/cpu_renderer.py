"""The default renderer: worlds of one rig through the CPU rasteriser, on all cores, without a simulator."""

from __future__ import annotations

from calibration.rig import Rig
from envs.rendering.cpu.rasterizer import CpuRasterizer
from envs.rendering.rig_renderer import RigRenderer


class CpuRenderer(RigRenderer):
    """Draws worlds of one rig on the CPU."""

    def __init__(self, rig: Rig, threads: int = 0, samples: int = 4, error_px: float = 0.5) -> None:
        """Load the rig's shapes; see `CpuRasterizer` for the settings.

        Raises:
            InputError: the rig's URDF or one of its meshes cannot be used.
        """
        super().__init__(rig, CpuRasterizer(threads, samples, error_px), CpuRasterizer(threads, 1, 2 * error_px))
