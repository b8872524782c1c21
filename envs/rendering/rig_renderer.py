"""What the renderers of our own have in common: worlds of one rig through a rasteriser."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.camera import CameraIntrinsics
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import CameraParams, WorldParams
from envs.rendering.camera_effects import Rasterizer, draw_through
from envs.rendering.renderer import Images
from envs.rendering.rig_arrays import RigArrays


class RigRenderer:
    """Draws worlds of one rig, many at a time."""

    def __init__(self, rig: Rig, rasterizer: Rasterizer, fine_rasterizer: Rasterizer) -> None:
        """Load the rig's shapes.

        Args:
            rig: the station.
            rasterizer: for pinhole cameras.
            fine_rasterizer: for bent ones, see `draw_through`.

        Raises:
            InputError: the rig's URDF or one of its meshes cannot be used.
        """
        self.rig = rig
        self._arrays = RigArrays(rig)
        self._rasterizer, self._fine = rasterizer, fine_rasterizer
        self._where = rig.camera.world_from_camera()
        # The views of the last pictures: a camera that stands still is not placed again.
        self._views: list[tuple[CameraParams, CameraView]] = []
        self._camera: CameraIntrinsics | None = None

    def render(self, worlds: Sequence[WorldParams], camera: CameraIntrinsics, normals: bool = False) -> Images:
        """Return pictures of the worlds through the rig's camera with these nominal intrinsics.

        A camera with distortion is drawn wide without it and then warped; a world in which something moves while the
        shutter is open is drawn at several moments.
        """
        nominal = CameraView(camera, self._where)
        before = (
            self._views
            if camera == self._camera and len(self._views) == len(worlds)
            else [(None, nominal)] * len(worlds)
        )
        views = [
            view if world.camera is change else nominal.moved(world.camera)
            for world, (change, view) in zip(worlds, before, strict=True)
        ]
        self._camera, self._views = camera, [(w.camera, v) for w, v in zip(worlds, views, strict=True)]
        return draw_through(self._arrays, self._rasterizer, self._fine, worlds, views, normals)

    def close(self) -> None:
        """Release what the rasterisers hold; twice is fine."""
        self._rasterizer.close()
        self._fine.close()
