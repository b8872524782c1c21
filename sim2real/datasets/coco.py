"""COCO's format (Lin et al. 2014, cocodataset.org/#format-data): instances and keypoints.

COCO counts pixels from the corner of the picture in boxes and polygons, and by the index of a pixel in keypoints; a
keypoint of this package, which counts from the centre of the first pixel, is the same number there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.rig import Rig
from calibration.world import WorldParams
from envs.labels import BodyLabels, FrameLabels
from envs.labels.masks import coco_rle, polygons
from sim2real.datasets.files import write_lines, write_picture

_HIDDEN, _SEEN = 1, 2


class CocoWriter:
    """Writes `images/`, `annotations/instances.json` and, of categories with keypoints, `annotations/keypoints.json`.

    Every body that is seen is an instance. A body of the rig is a category of its own, all distractors are one; the
    super-category is the role. Beyond COCO's own, an instance has `visible`, the share of its outline that is seen,
    and `amodal_bbox`, the box around all of it.
    """

    def __init__(
        self, out: Path, rig: Rig, nominal: WorldParams, segmentation: Literal["rle", "polygons"] = "rle"
    ) -> None:
        """Keep where to write; the folder exists.

        Args:
            out: the folder.
            rig: the station.
            nominal: its nominal world, which has all bodies.
            segmentation: run lengths, or polygons where the mask has no hole.
        """
        self._out = out
        self._rig = rig
        self._polygons = segmentation == "polygons"
        owners = [_owner(rig, k.frame) for k in rig.keypoints]
        self.categories: list[dict[str, Any]] = []
        self._keypoints: dict[str, list[int]] = {}
        self._ids: dict[str, int] = {}
        for body in nominal.bodies:
            name = _category(body.name, body.role)
            if name in self._ids:
                continue
            self._ids[name] = len(self._ids) + 1
            category: dict[str, Any] = {"id": self._ids[name], "name": name, "supercategory": body.role}
            self._keypoints[name] = [k for k, owner in enumerate(owners) if owner == name]
            if self._keypoints[name]:
                category |= {"keypoints": [rig.keypoints[k].name for k in self._keypoints[name]], "skeleton": []}
            self.categories.append(category)

    def camera(self, camera: CameraIntrinsics) -> CameraIntrinsics:
        """Return the camera itself."""
        return camera

    def world(self, world: WorldParams) -> WorldParams:
        """Return the world itself."""
        return world

    def prepare(self, camera: CameraIntrinsics) -> None:
        """Make the folders."""
        for name in ("images", "annotations"):
            (self._out / name).mkdir(exist_ok=True)

    def add(self, number: int, rgb: NDArray[np.uint8], labels: FrameLabels) -> dict[str, Any]:
        """Write the picture and return its entry and those of its instances."""
        name = f"{number:06d}.png"
        write_picture(self._out / "images" / name, rgb)
        height, width = rgb.shape[:2]
        image = {"id": number, "file_name": name, "width": width, "height": height}
        return {"image": image, "instances": [self._instance(b, labels) for b in labels.bodies if b.area_px > 0]}

    def finish(self, entries: Iterable[dict[str, Any]]) -> None:
        """Write both files of annotations."""
        folder = self._out / "annotations"
        write_lines(folder / "instances.json", _file(self._rig, self.categories, entries))
        pointed = [c for c in self.categories if "keypoints" in c]
        if pointed:
            write_lines(folder / "keypoints.json", _file(self._rig, pointed, entries))

    def _instance(self, body: BodyLabels, labels: FrameLabels) -> dict[str, Any]:
        mask = labels.mask(body)
        outline = polygons(mask) if self._polygons else None
        left, top, right, bottom = body.modal_box_px
        category = _category(body.params.name, body.params.role)
        instance: dict[str, Any] = {
            "category_id": self._ids[category],
            "iscrowd": 0,
            "area": body.area_px,
            "bbox": _xywh(left, top, right, bottom),
            "segmentation": coco_rle(mask) if outline is None else outline,
            "visible": round(body.visible, 4),
        }
        whole = body.amodal_box_px
        if np.isfinite(whole).all():
            instance["amodal_bbox"] = [round(v, 2) for v in _xywh(*whole)]
        numbers = self._keypoints[category]
        if numbers:
            flags = [_flag(labels, labels.keypoints_px[k], body.index) for k in numbers]
            triples = [
                [*(round(float(v), 3) for v in labels.keypoints_px[k]), flag] if flag else [0, 0, 0]
                for k, flag in zip(numbers, flags, strict=True)
            ]
            instance |= {"keypoints": [v for t in triples for v in t], "num_keypoints": sum(f > 0 for f in flags)}
        return instance


def _category(name: str, role: str) -> str:
    return "distractor" if role == "distractor" else name


def _owner(rig: Rig, frame: str) -> str | None:
    """Return the category that a keypoint belongs to: its body, the first one on its joint, or the URDF arm."""
    if any(b.name == frame for b in rig.bodies):
        return frame
    hung = [b.name for b in rig.bodies if b.parent == frame and frame != "world"]
    if hung:
        return hung[0]
    return "robot" if rig.robot is not None and frame != "world" else None


def _xywh(left: float, top: float, right: float, bottom: float) -> list[float]:
    """Return a box as COCO has it, from the picture's corner."""
    return [float(left + 0.5), float(top + 0.5), float(right - left), float(bottom - top)]


def _flag(labels: FrameLabels, pixel: NDArray[np.float64], index: int) -> int:
    """Return COCO's visibility: 0 outside of the picture, 1 covered by another body, 2 where its body is seen."""
    if not labels.view.intrinsics.contains(pixel)[0]:
        return 0
    column, row = (int(np.floor(v + 0.5)) for v in pixel)
    return _SEEN if labels.segmentation[row, column] == index else _HIDDEN


def _file(rig: Rig, categories: list[dict[str, Any]], entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a file of annotations, one for each image and instance."""
    known = {c["id"] for c in categories}
    info = {"description": f"simulated frames of rig {rig.name}", "version": "1"}
    yield f'{{"info": {json.dumps(info)}, "licenses": [],'
    yield f'"categories": {json.dumps(categories)},'
    yield '"images": ['
    yield from _joined(json.dumps(entry["image"]) for entry in entries)
    yield '],\n"annotations": ['
    yield from _joined(_annotations(entries, known))
    yield "]}"


def _annotations(entries: Iterable[dict[str, Any]], known: set[int]) -> Iterator[str]:
    number = 0
    for entry in entries:
        for instance in entry["instances"]:
            number += 1
            if instance["category_id"] in known:
                yield json.dumps({"id": number, "image_id": entry["image"]["id"], **instance})


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines with a comma behind all but the last."""
    before: str | None = None
    for line in lines:
        if before is not None:
            yield before + ","
        before = line
    if before is not None:
        yield before
