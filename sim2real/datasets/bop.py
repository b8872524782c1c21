"""The format of the BOP benchmark for 6D poses (Hodan et al. 2018; bop_toolkit, docs/bop_datasets_format.md)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.records import write_json
from calibration.rig import Rig
from calibration.world import CameraParams, WorldParams
from envs.labels import BodyLabels, FrameLabels
from envs.labels.outlines import shape_of
from envs.labels.silhouettes import silhouette
from sim2real.datasets.bop_models import write_models
from sim2real.datasets.files import write_lines, write_picture, write_plane

SPLIT = "train"
FRAMES_PER_SCENE = 1000
# Millimetres for one step of the depth picture: 16 bits reach to 6.5 m. What is farther is missing, 0.
DEPTH_SCALE = 0.1
_MM = 1000.0
_FILES = ("scene_camera", "scene_gt", "scene_gt_info")


class BopWriter:
    """Writes `models/` and `train/SCENE_ID/` with pictures, depth, masks, cameras and poses.

    Every body but a URDF arm is an object; its number is its place among the world's bodies, from 1. The format
    knows one size of an object and a camera without distortion, so frames are drawn with the nominal ones.
    """

    def __init__(self, out: Path, rig: Rig, nominal: WorldParams) -> None:
        """Keep where to write; the folder exists."""
        self._out = out
        self._nominal = nominal
        shapes = {k + 1: shape_of(rig, b) for k, b in enumerate(nominal.bodies)}
        self.shapes = {number: shape for number, shape in shapes.items() if shape is not None}

    def camera(self, camera: CameraIntrinsics) -> CameraIntrinsics:
        """Return the camera without its distortion."""
        return replace(camera, distortion=(0.0, 0.0, 0.0, 0.0, 0.0), model="pinhole")

    def world(self, world: WorldParams) -> WorldParams:
        """Return the world with bodies of their nominal size and a lens without distortion."""
        sizes = {b.name: b for b in self._nominal.bodies}
        bodies = tuple(
            replace(b, size_scale=sizes[b.name].size_scale, shape_scale=sizes[b.name].shape_scale) for b in world.bodies
        )
        lens = replace(world.camera, distortion_shift=CameraParams().distortion_shift)
        return replace(world, bodies=bodies, camera=lens)

    def prepare(self, camera: CameraIntrinsics) -> None:
        """Write the models and the nominal camera."""
        described = {
            "cx": camera.cx_px,
            "cy": camera.cy_px,
            "fx": camera.fx_px,
            "fy": camera.fy_px,
            "width": camera.width_px,
            "height": camera.height_px,
            "depth_scale": DEPTH_SCALE,
        }
        write_json(self._out / "camera.json", described)
        write_models(self._out / "models", self.shapes)

    def add(self, number: int, rgb: NDArray[np.uint8], labels: FrameLabels) -> dict[str, Any]:
        """Write pictures, depth and masks of a frame and return its camera and poses."""
        scene, image = divmod(number, FRAMES_PER_SCENE)
        folder = self._out / SPLIT / f"{scene:06d}"
        for name in ("rgb", "depth", "mask", "mask_visib"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        write_picture(folder / "rgb" / f"{image:06d}.png", rgb)
        depth = depth_picture(labels.depth_m)
        write_plane(folder / "depth" / f"{image:06d}.png", depth)
        poses: list[dict[str, Any]] = []
        infos: list[dict[str, Any]] = []
        for body in labels.bodies:
            if body.shape is None:
                continue
            whole, left, top = _whole_silhouette(body, labels)
            seen = labels.mask(body)
            inside = _within(whole, left, top, seen.shape)
            if not inside.any():
                continue
            name = f"{image:06d}_{len(poses):06d}.png"
            write_plane(folder / "mask" / name, inside.astype(np.uint8) * 255)
            write_plane(folder / "mask_visib" / name, seen.astype(np.uint8) * 255)
            infos.append(_info(whole, left, top, inside, seen, depth))
            pose = _pose(body.camera_from_body)
            poses.append({"cam_R_m2c": pose[0], "cam_t_m2c": pose[1], "obj_id": body.index + 1})
        rotation, translation = _pose(labels.view.world_from_camera.inverse().matrix())
        camera = {
            "cam_K": labels.view.intrinsics.matrix().ravel().tolist(),
            "depth_scale": DEPTH_SCALE,
            "cam_R_w2c": rotation,
            "cam_t_w2c": translation,
        }
        return {"scene": scene, "image": image, "scene_camera": camera, "scene_gt": poses, "scene_gt_info": infos}

    def finish(self, entries: Iterable[dict[str, Any]]) -> None:
        """Write the three files of every scene."""
        for scene, group in itertools.groupby(entries, key=lambda entry: int(entry["scene"])):
            frames = list(group)
            for name in _FILES:
                write_lines(self._out / SPLIT / f"{scene:06d}" / f"{name}.json", _scene_file(frames, name))


def depth_picture(depth_m: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return depth (H, W) in steps of DEPTH_SCALE millimetres; 0 where there is none or it is out of reach."""
    steps = np.rint(np.where(np.isfinite(depth_m), depth_m, 0.0).astype(np.float64) * _MM / DEPTH_SCALE)
    return np.where(steps <= np.iinfo(np.uint16).max, steps, 0).astype(np.uint16)


def _scene_file(frames: list[dict[str, Any]], name: str) -> Iterator[str]:
    yield "{"
    for k, entry in enumerate(frames):
        comma = "," if k + 1 < len(frames) else ""
        yield f'"{entry["image"]}": {json.dumps(entry[name])}{comma}'
    yield "}"


def _pose(matrix: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Return rotation, 9 numbers row by row, and translation in millimetres of a transform (4, 4)."""
    return matrix[:3, :3].ravel().tolist(), (matrix[:3, 3] * _MM).tolist()


def _whole_silhouette(body: BodyLabels, labels: FrameLabels) -> tuple[NDArray[np.bool_], int, int]:
    """Return the silhouette, hidden or not, and its first column and row, on a canvas three pictures wide and high.

    It is cut with the picture's edges there as the toolkit does it. A pixel that shows the body belongs to it even
    where a renderer's rounding puts it beyond the outline.
    """
    height, width = labels.segmentation.shape
    left, top, right, bottom = -width, -height, 2 * width, 2 * height
    box = body.amodal_box_px
    if not np.isnan(box).any():
        left, right = max(left, _floor(box[0], left)), min(right, _floor(box[2], right) + 2)
        top, bottom = max(top, _floor(box[1], top)), min(bottom, _floor(box[3], bottom) + 2)
    if body.area_px:
        x0, y0, x1, y1 = (int(v + 0.5) for v in body.modal_box_px)
        left, top, right, bottom = min(left, x0), min(top, y0), max(right, x1), max(bottom, y1)
    if body.shape is None or np.isnan(box).any() or right <= left or bottom <= top:
        return np.zeros((1, 1), bool), 0, 0
    size = right - left, bottom - top
    whole = silhouette(body.shape, body.camera_from_body, labels.view.intrinsics, left, top, size)
    rows, columns = np.nonzero(labels.mask(body))
    whole[rows - top, columns - left] = True
    return whole, left, top


def _floor(value: float, otherwise: int) -> int:
    return int(np.floor(value)) if np.isfinite(value) else otherwise


def _within(whole: NDArray[np.bool_], left: int, top: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the part (H, W) of a silhouette that falls on the picture."""
    rows, columns = np.nonzero(whole)
    rows, columns = rows + top, columns + left
    on = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    mask = np.zeros(shape, bool)
    mask[rows[on], columns[on]] = True
    return mask


def _info(
    whole: NDArray[np.bool_],
    left: int,
    top: int,
    inside: NDArray[np.bool_],
    seen: NDArray[np.bool_],
    depth: NDArray[np.uint16],
) -> dict[str, Any]:
    count, visible = int(whole.sum()), int(seen.sum())
    return {
        "bbox_obj": _bbox(whole, left, top) if visible else [-1, -1, -1, -1],
        "bbox_visib": _bbox(seen, 0, 0),
        "px_count_all": count,
        "px_count_valid": int((depth[inside] > 0).sum()),
        "px_count_visib": visible,
        "visib_fract": visible / count,
    }


def _bbox(mask: NDArray[np.bool_], left: int, top: int) -> list[int]:
    """Return x, y, width, height of a mask as the toolkit does, sizes last less first pixel; -1 for an empty one."""
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return [-1, -1, -1, -1]
    x, y = int(columns.min()), int(rows.min())
    return [x + left, y + top, int(columns.max()) - x, int(rows.max()) - y]
