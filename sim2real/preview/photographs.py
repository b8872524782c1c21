"""The sheet of photographs: each beside, under and over the nominal world with the object at its label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.alignment import align_camera
from calibration.camera import CameraIntrinsics
from calibration.kinematics import frame_matrices, nominal_world
from calibration.lifting import label_point_in
from calibration.rig import Rig
from calibration.world import CameraParams
from envs.labels import FrameLabels
from envs.rendering.renderer import Renderer
from sim2real.images import read_image, resize
from sim2real.preview.drawing import draw_labelled
from sim2real.preview.geometry_tiles import drawn_edges
from sim2real.preview.matching import OutlineMatch, match_outline
from sim2real.preview.overlays import Overlay
from sim2real.preview.placing import label_point_world, labelled_world, target_bodies
from sim2real.preview.tiles import GAP_PX, INK, SOFT_INK, Colour, Picture, captioned, lines_of_text, sheet, write
from sim2real.realdata import RealData, RealFrame

TILE_PX = 480
# How far an outline is moved to find where it fits, as a share of the width.
_REACH = 0.05
# A close-up shows the target in this share of its width or height.
_CLOSE_SHARE = 0.4
_CLOSEST = 6.0
_TARGET, _OTHER, _LABELLED, _ARROW = (70, 255, 90), (70, 200, 255), (255, 225, 40), (255, 70, 220)


def photographs_sheet(
    rig: Rig, data: RealData, renderer: Renderer, count: int, aligned: bool, size_px: tuple[int, int] | None
) -> Picture:
    """Return the sheet, one photograph a row: it, the drawn world, both blended, drawn edges over it, a close-up.

    Args:
        rig: the station.
        data: its photographs and labels.
        renderer: of the rig.
        count: photographs on the sheet, spread evenly over the folder.
        aligned: whether the camera is first aligned on the photographs.
        size_px: width and height of a tile; by default 480 wide.

    Raises:
        InputError: the object cannot be placed at a label, or the camera cannot be aligned.
    """
    change, camera_words = CameraParams(), "as published"
    if aligned:
        fit = align_camera(rig, data.unlabelled)
        change, camera_words = fit.change, _change_words(fit.change, rig.alignment_body)
    width, height = rig.camera.image_size_px
    size = size_px or (TILE_PX, round(TILE_PX * height / width))
    some = _spread(data.frames, count)
    rows = [row for frame in some for row in _rows(rig, data, renderer, frame, change, size)]
    left_out = f", {len(data.left_out) + len(data.faulty)} left out" if data.left_out or data.faulty else ""
    shown = f"{len(some)} of {len(data.frames)} photographs of {data.folder.name}{left_out}"
    head = lines_of_text(
        [
            (f"rig {rig.name}: {shown}; camera {camera_words}", INK),
            (
                "yellow cross: label; ring: keypoint of the drawing; green: edges of what carries the keypoints; blue: "
                "other edges; magenta arrow, close-up: to where the green outline, moved but not turned, fits best",
                SOFT_INK,
            ),
        ],
        rows[0][0].shape[1],
    )
    return sheet([[head], *rows])


def _rows(
    rig: Rig,
    data: RealData,
    renderer: Renderer,
    frame: RealFrame,
    change: CameraParams,
    size: tuple[int, int],
) -> list[list[Picture]]:
    """Return the line of text and the row of tiles of one photograph."""
    world = labelled_world(rig, replace(nominal_world(rig), camera=change), frame)
    photograph = resize(read_image(data.folder / frame.file)[0], *rig.camera.image_size_px)
    under = resize(photograph, *size)
    drawn, labels = next(draw_labelled(rig, renderer, [world], rig.camera.intrinsics().resized(*size)))
    names = target_bodies(rig)
    matches = {", ".join(names): _match(under, labels, names, size)}
    if rig.alignment_body is not None and rig.alignment_body not in names:
        matches[rig.alignment_body] = _match(under, labels, (rig.alignment_body,), size)
    close = _close_camera(rig, labels, names[:1], size)
    tiles = [
        captioned(under, "photograph"),
        captioned(drawn, "drawn: nominal world, object at its label"),
        captioned(_blended(under, drawn), "both, half and half"),
        captioned(_marked(rig, frame, under, labels, names), "drawn edges over the photograph"),
    ]
    if close is None:
        tiles.append(captioned(_nothing(size, "the object is out of the picture"), "close-up"))
    else:
        camera, left, top, factor = close
        big = resize(photograph, round(size[0] * factor), round(size[1] * factor))
        part = np.ascontiguousarray(big[top : top + size[1], left : left + size[0]])
        _, near = next(draw_labelled(rig, renderer, [world], camera))
        tile = _marked(rig, frame, part, near, names, next(iter(matches.values())), factor)
        tiles.append(captioned(tile, f"close-up, {factor:.1f} times as large"))
    total = sum(t.shape[1] for t in tiles) + GAP_PX * (len(tiles) - 1)
    scale = rig.camera.image_size_px[0] / size[0]
    found = "; ".join(_match_words(name, m, scale, size) for name, m in matches.items())
    lines = [(f"{frame.file}   {_label_words(rig, frame)}", INK), (found + _joint_words(rig, frame), INK)]
    return [[lines_of_text(lines, total, rule=True)], tiles]


def _marked(
    rig: Rig,
    frame: RealFrame,
    picture: Picture,
    labels: FrameLabels,
    names: Sequence[str],
    match: OutlineMatch | None = None,
    factor: float = 1.0,
) -> Picture:
    """Return the picture with drawn edges, crosses at the label and rings at the drawing's keypoints."""
    marked = np.array(picture, np.uint8)
    edges = drawn_edges(labels)
    target = _mask(labels, names)
    marked[edges & ~target] = _OTHER
    marked[edges & target] = _TARGET
    overlay = Overlay(marked, labels.view)
    for pixel in labels.keypoints_px:
        overlay.ring(pixel, _TARGET, 10)
    for pixel in labels.view.project(np.vstack([frame.keypoints_world, label_point_world(rig, frame)])):
        overlay.cross(pixel, _LABELLED)
    if match is not None and match.clear and np.isfinite(labels.keypoints_px[0]).all():
        shift = factor * np.array([match.right_px, match.down_px])
        overlay.arrow(labels.keypoints_px[0], labels.keypoints_px[0] + shift, _ARROW)
    return overlay.picture


def _close_camera(
    rig: Rig, labels: FrameLabels, names: Sequence[str], size: tuple[int, int]
) -> tuple[CameraIntrinsics, int, int, float] | None:
    """Return the camera of the close-up, its left and top in the enlarged picture, and how much larger that is."""
    rows, columns = np.nonzero(_mask(labels, names))
    if len(rows) == 0:
        return None
    wide, high = np.ptp(columns) + 1, np.ptp(rows) + 1
    factor = float(np.clip(_CLOSE_SHARE * min(size[0] / wide, size[1] / high), 1.0, _CLOSEST))
    whole = rig.camera.intrinsics().resized(round(size[0] * factor), round(size[1] * factor))
    left = round(factor * (columns.min() + columns.max() + 1) / 2 - size[0] / 2)
    top = round(factor * (rows.min() + rows.max() + 1) / 2 - size[1] / 2)
    left = min(max(left, 0), whole.width_px - size[0])
    top = min(max(top, 0), whole.height_px - size[1])
    return whole.cropped(left, top, *size), left, top, factor


def _match(picture: Picture, labels: FrameLabels, names: Sequence[str], size: tuple[int, int]) -> OutlineMatch | None:
    return match_outline(picture, _mask(labels, names), labels.depth_m, round(_REACH * size[0]))


def _mask(labels: FrameLabels, names: Sequence[str]) -> NDArray[np.bool_]:
    """Return (H, W) where any of these bodies is seen."""
    mask = np.zeros(labels.segmentation.shape, np.bool_)
    for body in labels.bodies:
        if body.params.name in names:
            mask |= labels.mask(body)
    return mask


def _blended(a: Picture, b: Picture) -> Picture:
    return ((a.astype(np.uint16) + b.astype(np.uint16) + 1) // 2).astype(np.uint8)


def _nothing(size: tuple[int, int], words: str, colour: Colour = (52, 54, 60)) -> Picture:
    tile = np.full((size[1], size[0], 3), colour, np.uint8)
    write(tile, words, 10, size[1] // 2)
    return tile


def _spread(frames: Sequence[RealFrame], count: int) -> list[RealFrame]:
    """Return at most `count` frames, evenly spread, first and last among them."""
    places = np.unique(np.rint(np.linspace(0, len(frames) - 1, min(count, len(frames)))).astype(int))
    return [frames[k] for k in places.tolist()]


def _label_words(rig: Rig, frame: RealFrame) -> str:
    columns = rig.label.point_columns or rig.label.columns
    values = "  ".join(f"{c} {v:.4f}" for c, v in zip(columns, frame.point_m, strict=True))
    seen = "" if frame.visible == "full" else f"   visible: {frame.visible}"
    turn = "   the object's turn is not labelled: drawn as in the rig" if rig.label.lift == "plane" else ""
    return values + seen + turn


def _match_words(names: str, match: OutlineMatch | None, scale: float, size: tuple[int, int]) -> str:
    reach = f"{_REACH * size[0] * scale:.0f} px"
    if match is None:
        return f"{names}: too little outline {reach} inside the picture"
    if not match.clear:
        return f"{names}: no place within {reach} at which the outline fits clearly best"
    if match.distance_px == 0:
        return f"{names}: outline fits best where it is"
    across = f"{abs(match.right_px) * scale:.0f} {'right' if match.right_px > 0 else 'left'}"
    along = f"{abs(match.down_px) * scale:.0f} {'down' if match.down_px > 0 else 'up'}"
    way = ", ".join(words for words, part in ((across, match.right_px), (along, match.down_px)) if part)
    return f"{names}: outline fits best {match.distance_px * scale:.0f} px away ({way})"


def _joint_words(rig: Rig, frame: RealFrame) -> str:
    """Return how far the label's columns are from where the joints' columns put the point, when there are both."""
    if rig.label.lift != "joints":
        return ""
    if frame.joints is None:
        return "; joints solved from the label's point"
    world = labelled_world(rig, nominal_world(rig), frame)
    there = label_point_in(rig, frame_matrices(rig, world))
    apart_mm = 1000 * float(np.linalg.norm(there - frame.point_m))
    return f"; the joints' columns put the label point {apart_mm:.2f} mm from its own columns"


def _change_words(change: CameraParams, body: str | None) -> str:
    moved_mm = 1000 * float(np.linalg.norm(change.shift_m))
    turned_deg = float(np.degrees(np.linalg.norm(change.tilt_rad)))
    return (
        f"aligned on edges of '{body}' (no label read): moved {moved_mm:.0f} mm, turned {turned_deg:.1f} deg, "
        f"focal length x {change.focal_scale:.3f}"
    )
