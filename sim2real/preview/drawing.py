"""Drawn worlds with all their labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from calibration.camera import CameraIntrinsics
from calibration.rig import Rig
from calibration.world import WorldParams
from envs.labels import FrameLabels, label_frame
from envs.rendering.renderer import Renderer
from envs.sensing import measure_through
from sim2real.preview.tiles import Picture

# Worlds that are drawn at a time, so that a long sheet needs no more memory than a short one.
_AT_A_TIME = 8


def draw_labelled(
    rig: Rig, renderer: Renderer, worlds: Sequence[WorldParams], camera: CameraIntrinsics
) -> Iterator[tuple[Picture, FrameLabels]]:
    """Yield for each world the picture (H, W, 3) as the camera gives it, and its labels.

    Args:
        rig: the station.
        renderer: of this rig; one that draws no normals leaves them None.
        worlds: any number.
        camera: nominal intrinsics, of the size of the pictures.
    """
    for start in range(0, len(worlds), _AT_A_TIME):
        some = worlds[start : start + _AT_A_TIME]
        images = renderer.render(some, camera, normals=True)
        for k, world in enumerate(some):
            lens = images.views[k].intrinsics
            rgb = measure_through(images.rgb[k], images.depth_m[k], lens, world.lens, world.sensor, world.noise_seed)
            yield rgb, label_frame(rig, world, images, k)
