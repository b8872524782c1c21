"""What happens between the lens and the sensor's pixels: distortion, motion blur, rolling shutter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.frame_batch import FrameBatch
from calibration.view import CameraView
from calibration.world import WorldParams
from envs.motion import view_after, world_after
from envs.rendering.drawing import Drawing
from envs.rendering.renderer import Images
from envs.rendering.rig_arrays import RigArrays
from envs.rendering.scene_arrays import SceneArrays
from envs.sensing.distortion import Warp, straightened
from envs.sensing.motion import rolling_rows

# Moments at which a moving world is drawn: one for each pixel of motion, within these bounds, odd.
_FEWEST, _MOST = 3, 17
# How much finer the straight pictures are that bent ones are taken from, so that a pixel that is looked up is near.
_FINER = 2
# Sizes of the straight pictures that bent ones are taken from come in steps of so many pixels.
_SIZE_STEP_PX = 32


class Rasterizer(Protocol):
    """What draws scene arrays."""

    def draw(self, scene: SceneArrays, normals: bool = False) -> Drawing:
        """Return the pictures of all views."""
        ...

    def close(self) -> None:
        """Release what it holds; twice is fine."""
        ...


def draw_through(
    arrays: RigArrays,
    rasterizer: Rasterizer,
    fine_rasterizer: Rasterizer,
    worlds: Sequence[WorldParams],
    views: Sequence[CameraView],
    normals: bool = False,
) -> Images:
    """Return the pictures of worlds, one for each view.

    While the shutter is open, bodies, joints and camera move at the velocities that the world carries. The world is the
    state in the middle of that time, and so are depth, segmentation and normals.

    Args:
        arrays: of the rig.
        rasterizer: for pinhole cameras.
        fine_rasterizer: for bent ones, whose straight pictures are drawn at twice the size.
        worlds: to draw.
        views: one for each world.
        normals: whether to draw them as well.
    """
    moments = [_moments(arrays.frames, world, view) for world, view in zip(worlds, views, strict=True)]
    drawn_worlds, drawn_views = [], []
    for world, view, times in zip(worlds, views, moments, strict=True):
        for t in times:
            drawn_worlds.append(world if t == 0.0 else world_after(world, t))
            drawn_views.append(view if t == 0.0 else view_after(view, world.camera, t))
    straight = all(v.intrinsics.is_straight for v in drawn_views)
    draw, chosen = (_draw, rasterizer) if straight else (_draw_bent, fine_rasterizer)
    rgb, depth, segment, normal = draw(arrays, chosen, drawn_worlds, drawn_views, normals)
    if len(drawn_worlds) > len(worlds):
        stops = np.cumsum([len(times) for times in moments])
        starts = stops - [len(times) for times in moments]
        middle = (starts + stops - 1) // 2
        rgb = np.stack([_exposed(rgb[a:b], w) for a, b, w in zip(starts, stops, worlds, strict=True)])
        depth, segment = depth[middle], segment[middle]
        normal = None if normal is None else normal[middle]
    return Images(rgb, depth, segment, tuple(views), normal)


def _exposed(frames: NDArray[np.uint8], world: WorldParams) -> NDArray[np.uint8]:
    if len(frames) == 1:
        return np.asarray(frames[0], np.uint8)
    return rolling_rows(frames, world.shutter.exposure_s, world.shutter.readout_s)


def _moments(frames: FrameBatch, world: WorldParams, view: CameraView) -> tuple[float, ...]:
    """Return the times, around 0, at which a world is drawn; only 0 for one at rest."""
    duration = world.shutter.exposure_s + world.shutter.readout_s
    if duration <= 0.0 or not _moves(world):
        return (0.0,)
    ends = [world_after(world, t) for t in (-duration / 2, duration / 2)]
    seen = [
        view_after(view, world.camera, t).project(f[:, :3, 3])
        for t, f in zip((-duration / 2, duration / 2), frames.of(ends), strict=True)
    ]
    travel = float(np.nan_to_num(np.linalg.norm(seen[1] - seen[0], axis=1)).max())
    focal = view.intrinsics.fx_px
    # Bodies also turn about themselves, and a turning camera moves the whole picture.
    turn = max((math.hypot(*b.angular_velocity_rad_s) for b in world.bodies), default=0.0)
    travel = max(travel, duration * focal * (0.1 * turn + math.hypot(*world.camera.angular_velocity_rad_s)))
    count = min(max(math.ceil(travel) + 1, _FEWEST), _MOST) | 1
    return tuple(float(duration * (k / (count - 1) - 0.5)) if 2 * k != count - 1 else 0.0 for k in range(count))


def _moves(world: WorldParams) -> bool:
    return (
        any(any(b.velocity_m_s) or any(b.angular_velocity_rad_s) for b in world.bodies if b.present)
        or any(j.velocity for j in world.joints)
        or any(world.camera.velocity_m_s)
        or any(world.camera.angular_velocity_rad_s)
    )


_Drawn = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int16], NDArray[np.float32] | None]


def _draw(
    arrays: RigArrays, rasterizer: Rasterizer, worlds: list[WorldParams], views: list[CameraView], normals: bool
) -> _Drawn:
    """Return rgb, depth, segments and normals of pinhole views."""
    drawing = rasterizer.draw(arrays.arrays(worlds, views), normals)
    return drawing.rgb, drawing.depth_m, drawing.segment, drawing.normal


def _draw_bent(
    arrays: RigArrays, rasterizer: Rasterizer, worlds: list[WorldParams], views: list[CameraView], normals: bool
) -> _Drawn:
    """Return the same of views through lenses that bend the picture."""
    width, height = views[0].intrinsics.width_px, views[0].intrinsics.height_px
    shape = (len(views), height, width)
    rgb, depth = np.empty((*shape, 3), np.uint8), np.empty(shape, np.float32)
    segment, normal = np.empty(shape, np.int16), np.empty((*shape, 3), np.float32) if normals else None
    warps = [_warp(v.intrinsics) for v in views]
    # A picture must not depend on the others, so those of one size are drawn together, and sizes come in steps.
    by_size: dict[tuple[int, int], list[int]] = {}
    for k, warp in enumerate(warps):
        by_size.setdefault((warp.wide.width_px, warp.wide.height_px), []).append(k)
    for (wide, high), numbers in by_size.items():
        straight = [replace(views[k], intrinsics=warps[k].wide.resized(_FINER * wide, _FINER * high)) for k in numbers]
        drawing = rasterizer.draw(arrays.arrays([worlds[k] for k in numbers], straight), normals)
        for at, k in enumerate(numbers):
            warp = warps[k]
            rgb[k] = warp.smooth(np.asarray(cv2.resize(drawing.rgb[at], (wide, high), interpolation=cv2.INTER_AREA)))
            fine = warp.finer(_FINER)
            depth[k], segment[k] = fine.nearest(drawing.depth_m[at]), fine.nearest(drawing.segment[at])
            if normal is not None and drawing.normal is not None:
                normal[k] = fine.nearest(drawing.normal[at])
    return rgb, depth, segment, normal


def _warp(camera: CameraIntrinsics) -> Warp:
    warp = straightened(camera)
    return warp.grown(
        *(-(-side // _SIZE_STEP_PX) * _SIZE_STEP_PX for side in (warp.wide.width_px, warp.wide.height_px))
    )
