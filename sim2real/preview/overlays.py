"""Labels drawn over a picture: masks, boxes, keypoints, axes, the principal point."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rig import Rig
from calibration.view import CameraView
from envs.labels import BodyLabels, FrameLabels
from sim2real.preview.tiles import Colour, Picture, text_size, write

Points = NDArray[np.float64]

SEEN, HIDDEN = (60, 235, 90), (255, 70, 60)
PRINCIPAL = (255, 80, 220)
_AXES = (("x", (255, 70, 60)), ("y", (70, 220, 70)), ("z", (80, 140, 255)))
_PALETTE: tuple[Colour, ...] = (
    (0, 158, 255), (255, 196, 0), (0, 201, 140), (235, 92, 152), (150, 120, 255), (255, 128, 40), (40, 214, 226),
    (178, 214, 60),
)  # fmt: skip
_DISTRACTOR: Colour = (150, 150, 158)
_MASK_SHARE = 0.38
# A keypoint counts as seen when more than this share of its body is.
SEEN_SHARE = 0.12
_EDGES = [(a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit]
# Pieces of a box's edge, so that one that is bent by the lens or ends behind the camera is drawn as far as it goes.
_PIECES = 16
_FARTHEST_PX = 1e5
_SMALL = 0.45


class Overlay:
    """A picture, larger than the one that the labels belong to, and what is written on it."""

    def __init__(self, picture: Picture, view: CameraView) -> None:
        """Draw on `picture` from now on; `view` is the camera of the labels."""
        self.picture = picture
        height, width = picture.shape[:2]
        self.view = view.resized(width, height)
        self._scale = np.array([width / view.intrinsics.width_px, height / view.intrinsics.height_px])
        self._taken: list[tuple[int, int, int, int]] = []

    def scaled(self, points_px: Points) -> Points:
        """Return pixels (..., 2) of the labels' picture in this one."""
        return np.asarray((points_px + 0.5) * self._scale - 0.5)

    def masks(self, labels: FrameLabels) -> None:
        """Tint each body in its colour."""
        height, width = self.picture.shape[:2]
        colours = np.zeros((len(labels.bodies) + 1, 3), np.float64)
        number = np.full(int(labels.segmentation.max(initial=0)) + 2, 0)
        for k, body in enumerate(labels.bodies):
            colours[k + 1] = colour_of(body)
            if body.index + 1 < len(number):
                number[body.index + 1] = k + 1
        shown = number[labels.segmentation.astype(np.int64) + 1].astype(np.uint8)
        large = np.asarray(cv2.resize(shown, (width, height), interpolation=cv2.INTER_NEAREST))
        share = np.where(large > 0, _MASK_SHARE, 0.0)[..., None]
        self.picture[:] = np.rint(self.picture * (1 - share) + colours[large] * share).astype(np.uint8)

    def box(self, body: BodyLabels) -> None:
        """Draw the box around a body's seen pixels."""
        if np.isfinite(body.modal_box_px).all():
            left, top, right, bottom = self.scaled(body.modal_box_px.reshape(2, 2)).ravel()
            corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])
            self._dashes(corners, colour_of(body))

    def solid_box(self, body: BodyLabels) -> None:
        """Draw the edges of a body's own bounding box in space."""
        if np.isfinite(body.corners_m).all():
            for a, b in _EDGES:
                share = np.linspace(0.0, 1.0, _PIECES + 1)[:, None]
                self.line(body.corners_m[a] * (1 - share) + body.corners_m[b] * share, colour_of(body))

    def line(self, points_m: Points, colour: Colour, width: int = 1) -> None:
        """Draw a line through points (N, 3) of the world, where the camera sees them."""
        pixels = self.view.project(points_m)
        for start, end in itertools.pairwise(pixels):
            if np.isfinite([start, end]).all() and np.abs([start, end]).max() < _FARTHEST_PX:
                cv2.line(self.picture, _fixed(start), _fixed(end), colour, width, cv2.LINE_AA, shift=4)

    def ring(self, point: Points, colour: Colour, radius: int = 6) -> None:
        """Draw a ring around a point of this picture."""
        if self.inside(point):
            cv2.circle(self.picture, _fixed(point), radius << 4, (0, 0, 0), 2, cv2.LINE_AA, shift=4)
            cv2.circle(self.picture, _fixed(point), radius << 4, colour, 1, cv2.LINE_AA, shift=4)

    def cross(self, point: Points, colour: Colour, arm: float = 5.0) -> None:
        """Draw a cross at a point of this picture."""
        if not self.inside(point):
            return
        for width, ink in ((3, (0, 0, 0)), (1, colour)):
            for step in (np.array([arm, 0.0]), np.array([0.0, arm])):
                cv2.line(self.picture, _fixed(point - step), _fixed(point + step), ink, width, cv2.LINE_AA, shift=4)

    def arrow(self, start: Points, end: Points, colour: Colour) -> None:
        """Draw an arrow between points of this picture, where it starts in it."""
        if self.inside(start):
            for width, ink in ((4, (0, 0, 0)), (2, colour)):
                cv2.arrowedLine(self.picture, _fixed(start), _fixed(end), ink, width, cv2.LINE_AA, 4, 0.25)

    def keypoints(self, rig: Rig, labels: FrameLabels, names: bool) -> None:
        """Ring the keypoints, hidden ones in red, with the share of their body that is seen and, if asked, names."""
        for keypoint, pixel, share in zip(rig.keypoints, labels.keypoints_px, labels.visible, strict=True):
            point = self.scaled(pixel)
            colour = SEEN if share > SEEN_SHARE else HIDDEN
            self.ring(point, colour)
            words = f"{keypoint.name} {100 * share:.0f} %" if names else f"{100 * share:.0f} %"
            self.words(words, point, colour, 10)

    def axes(self, rig: Rig) -> None:
        """Draw the axes of the label's frame, in a corner when its origin is out of the picture."""
        pose = rig.world_from_label_frame()
        origin = self.view.project([pose.position_m])[0]
        directions = pose.rotation.as_matrix().T
        if self.inside(origin):
            depth = float(self.view.world_from_camera.inverse().apply(np.asarray(pose.position_m))[2])
            length_m = 0.14 * self.picture.shape[0] * depth / self.view.intrinsics.fy_px
            ends = [self.view.project([np.asarray(pose.position_m) + length_m * d])[0] for d in directions]
            words = rig.label.frame
        else:
            origin = np.array([52.0, self.picture.shape[0] - 44.0])
            turned = self.view.world_from_camera.rotation.inv().apply(directions)
            ends = [origin + 34.0 * d[:2] for d in turned]
            words = f"axes of {rig.label.frame} (origin out of view)"
        for (name, colour), end in zip(_AXES, ends, strict=True):
            if np.isfinite(end).all():
                self.arrow(origin, end, colour)
                self.words(name, end, colour, 4)
        self.words(words, origin, (255, 255, 255), 8)

    def principal_point(self, words: str = "") -> None:
        """Mark where the optical axis meets the picture."""
        camera = self.view.intrinsics
        point = np.array([camera.cx_px, camera.cy_px])
        self.cross(point, PRINCIPAL, 7.0)
        if words:
            self.words(words, point, PRINCIPAL, 10)

    def inside(self, point: Points) -> bool:
        """Return whether a point of this picture lies in it."""
        return bool(self.view.intrinsics.contains(point)[0])

    def words(self, words: str, point: Points, colour: Colour, gap: int) -> None:
        """Write beside a point of this picture, where nothing is written yet; nothing if the point is outside."""
        if not self.inside(point):
            return
        width, height = text_size(words, _SMALL)
        x, y = (round(float(v)) for v in point)
        rows = [y + height // 2 + step * (height + 3) for step in (0, 1, -1, 2, -2, 3, -3)]
        places = [(left, base) for base in rows for left in (x + gap, x - gap - width)]
        places = [p for p in places if self._fits(p[0], p[1] - height, width, height)] or [places[0]]
        free = [p for p in places if not self._overlaps(p[0], p[1] - height, width, height)]
        left, base = (free or places)[0]
        self._taken.append((left, base - height, width, height))
        write(self.picture, words, left, base - 3, colour, _SMALL)

    def _fits(self, left: int, top: int, width: int, height: int) -> bool:
        return left >= 1 and top >= 1 and left + width < self.picture.shape[1] and top + height < self.picture.shape[0]

    def _overlaps(self, left: int, top: int, width: int, height: int) -> bool:
        return any(left < x + w and x < left + width and top < y + h and y < top + height for x, y, w, h in self._taken)

    def _dashes(self, points: Points, colour: Colour) -> None:
        for start, end in itertools.pairwise(points):
            count = max(int(np.linalg.norm(end - start) // 4), 1)
            for k in range(0, count, 2):
                a, b = (start + (end - start) * min(j / count, 1.0) for j in (k, k + 1))
                cv2.line(self.picture, _fixed(a), _fixed(b), colour, 1, cv2.LINE_AA, shift=4)


def colour_of(body: BodyLabels) -> Colour:
    """Return the colour of a body's mask and boxes; distractors are grey."""
    return _DISTRACTOR if body.params.role == "distractor" else _PALETTE[body.index % len(_PALETTE)]


def label_overlay(picture: Picture, rig: Rig, labels: FrameLabels, detailed: bool) -> Picture:
    """Return the picture with its labels; `picture` has the size of the result.

    Args:
        picture: uint8 (H, W, 3), the labels' picture at any size; unchanged.
        rig: the station.
        labels: of the picture.
        detailed: whether everything is named and every body has its boxes; otherwise the boxes of what stays the same
            are left out, but for that of the body that the camera is aligned on.
    """
    overlay = Overlay(np.array(picture, np.uint8), labels.view)
    overlay.masks(labels)
    carriers = {k.frame for k in rig.keypoints} | {rig.alignment_body}
    for body in labels.bodies:
        solid = body.params.role != "distractor" if detailed else body.params.name in carriers
        if body.area_px and (solid or body.params.role == "object"):
            overlay.solid_box(body)
        if body.area_px and (detailed or body.params.role not in ("surface", "background")):
            overlay.box(body)
    overlay.axes(rig)
    overlay.principal_point("principal point" if detailed else "")
    overlay.keypoints(rig, labels, detailed)
    for body in labels.bodies:
        if detailed and body.area_px:
            left, top, right, _ = body.modal_box_px
            x, y = overlay.scaled(np.array([(left + right) / 2, top]))
            overlay.words(body.params.name, np.array([x, y - 9 if y > 24 else y + 10]), colour_of(body), 2)
    return overlay.picture


def _fixed(point: Points) -> tuple[int, int]:
    """Return a point in sixteenths of a pixel, as OpenCV's drawing takes it."""
    return round(float(point[0]) * 16), round(float(point[1]) * 16)
