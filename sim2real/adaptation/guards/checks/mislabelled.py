"""Single frames whose label does not belong to their picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.extrinsics import CameraPrior, fit_camera
from calibration.view import CameraView
from sim2real.adaptation.guards.checks.doubt import Doubt
from sim2real.adaptation.guards.checks.station import Picture

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

# A frame in which the model is less sure than this share of its median confidence says nothing about its label.
_SURE_SHARE = 0.5
# The same for how far its keypoints move under small views, as a share of the picture's diagonal.
_STEADY_SHARE = 0.02
# Spread of a network's keypoints that was never seen on real pictures, pixels of its input.
_KEYPOINT_STD_PX = 1.0
# A label is in doubt beyond this many robust standard deviations, this many of the label's own, and these pixels.
_SPREADS, _LABEL_STDS, _LEAST_PX = 6.0, 5.0, 4.0
_FEWEST_FOR_MAD = 5
# Labels and model contradict each other as a whole beyond this share of the picture's diagonal.
_MOST_SHARE = 0.05
# Labels are exchanged when both residuals shrink to this share by exchanging them back.
_EXCHANGED = 0.3
_ROUNDS = 3
# What moved is where a picture differs from the background; around a pixel, as a share of the picture's width.
_NEAR_SHARE, _MOVED_LEVELS, _CLEAR = 0.025, 20.0, 0.35


@dataclass(frozen=True, eq=False)
class Residuals:
    """Labels against what a model sees, after the camera was refitted without the frames in doubt.

    Attributes:
        distance_px: (N,), root mean square over keypoints of each frame, predicted by a camera that did not see it.
        limit_px: (N,), beyond which a frame is in doubt.
        label_px: (N,), standard deviation of the labels in the picture, an axis.
        view: the camera fitted to the others.
        sure: (N,), frames that were judged.
    """

    distance_px: Array
    limit_px: Array
    label_px: Array
    view: CameraView
    sure: Flags

    @property
    def doubted(self) -> Flags:
        """Frames in doubt (N,)."""
        return self.sure & (self.distance_px > self.limit_px)


def sure_frames(confidence: Array, disagreement_px: Array | None, diagonal_px: float) -> Flags:
    """Return in which of N frames the model is sure: by its confidence (N, K), and by its steadiness (N,) if given."""
    least = confidence.min(axis=1)
    sure = least >= _SURE_SHARE * np.median(least)
    if disagreement_px is not None:
        sure &= disagreement_px <= _STEADY_SHARE * diagonal_px
    return np.asarray(sure)


def label_residuals(
    view: CameraView, prior: CameraPrior, points_world: Array, seen_px: Array, sure: Flags, label_std_m: float
) -> Residuals:
    """Return how far labels and keypoints are apart, each frame judged by a camera fitted to the other sure frames.

    The camera is fitted (Huber's loss), frames beyond the limit are dropped and it is fitted again; a frame that stayed
    in is judged leaving it out. The limit follows the median distance of the sure frames, the labels' own standard
    deviation and a least distance, whichever is largest.

    Args:
        view: the camera known before, at the size of the pictures that the pixels are in.
        prior: how well it is known.
        points_world: (N, K, 3) keypoints of the labels.
        seen_px: (N, K, 2) keypoints by a model.
        sure: (N,), frames in which the model can be believed.
        label_std_m: of one label, an axis.
    """
    depth = view.world_from_camera.inverse().apply(points_world.reshape(-1, 3))[:, 2]
    label_px = (label_std_m * view.intrinsics.fx_px / np.maximum(depth, 1e-3)).reshape(points_world.shape[:2])
    std = np.sqrt(_KEYPOINT_STD_PX**2 + label_px**2)

    def fitted(used: Flags) -> CameraView:
        if not used.any():
            return view
        return fit_camera(view, prior, points_world[used], seen_px[used].reshape(-1, 2), std[used].ravel()).view

    used, camera, limit = sure.copy(), view, np.zeros(len(sure))
    for _ in range(_ROUNDS):
        camera = fitted(used)
        distance = _distance(camera, points_world, seen_px)
        limit = _limit(distance, sure, label_px)
        if np.array_equal(sure & (distance <= limit), used):
            break
        used = sure & (distance <= limit)
    distance = _distance(camera, points_world, seen_px)
    # Leaving a frame out only matters where it lies high already, or holds much of the fit.
    for k in np.flatnonzero(used):
        if used.sum() <= _FEWEST_FOR_MAD or distance[k] > 0.3 * limit[k]:
            others = used.copy()
            others[k] = False
            distance[k] = _distance(fitted(others), points_world[k : k + 1], seen_px[k : k + 1])[0]
    return Residuals(distance, limit, np.sqrt(np.mean(label_px**2, axis=1)), camera, sure)


def _distance(view: CameraView, points_world: Array, seen_px: Array) -> Array:
    n, k = points_world.shape[:2]
    off = view.project(points_world.reshape(-1, 3)).reshape(n, k, 2) - seen_px
    return np.asarray(np.sqrt(np.mean(np.sum(np.nan_to_num(off, nan=1e3) ** 2, axis=2), axis=1)))


def _limit(distance: Array, sure: Flags, label_px: Array) -> Array:
    """Return each frame's limit; of few frames the spread is not known, and the least distance decides."""
    spread = _KEYPOINT_STD_PX
    if sure.sum() >= _FEWEST_FOR_MAD:
        # The median length of a vector of two normal errors is 1.1774 times their standard deviation.
        spread = float(np.median(distance[sure])) / 1.1774
    own = np.sqrt(np.mean(label_px**2, axis=1)) * _LABEL_STDS
    return np.asarray(np.maximum(np.maximum(own, _LEAST_PX), _SPREADS * spread))


def check_mislabelled(
    files: Sequence[str],
    found: Residuals,
    points_world: Array,
    seen_px: Array,
    pictures: Sequence[Picture] | None = None,
    background: Array | None = None,
) -> list[Doubt]:
    """Return doubts about single frames: exchanged labels, and labels far from what the model sees.

    Where the background of a fixed camera is known it decides between the two: something must have moved in where the
    label says, or where the model says. A frame in which it supports the label alone is not in doubt.

    Args:
        files: of the N frames.
        found: of `label_residuals`.
        points_world: (N, K, 3) keypoints of the labels.
        seen_px: (N, K, 2) keypoints by a model.
        pictures: of the frames, at the size that the pixels are in.
        background: (H, W, 3) median of pictures of the same station.
    """
    if found.sure.sum() >= _FEWEST_FOR_MAD:
        most = float(np.median(found.distance_px[found.sure]))
        allowed = max(_MOST_SHARE * float(np.hypot(*_size(found.view))), float(np.median(found.label_px)) * _LABEL_STDS)
        if most > allowed:
            text = (
                f"labels and what the model sees differ by {most:.0f} px in most of {int(found.sure.sum())} frames "
                f"(expected {allowed:.0f} or less): labels belong to other pictures, or the model does not know this "
                "station; look at the order of the rows of labels.csv, and at a few predictions"
            )
            return [Doubt("mislabelled", tuple(files), text, "warn")]
    doubted = np.flatnonzero(found.doubted)
    label_px = found.view.project(points_world.reshape(-1, 3)).reshape(seen_px.shape)
    doubts, left = [], [int(k) for k in doubted]
    for a, b in _exchanged(doubted, label_px, seen_px, found.distance_px):
        text = (
            f"the labels of {files[a]} and {files[b]} look exchanged: each fits what the model sees in the other "
            f"picture, and is {found.distance_px[a]:.0f} and {found.distance_px[b]:.0f} px off in its own (expected "
            f"{found.limit_px[a]:.0f} or less); exchange the two rows of labels.csv"
        )
        doubts.append(Doubt("swapped labels", (files[a], files[b]), text, "refuse"))
        left = [k for k in left if k not in (a, b)]
    usual = (
        float(np.median(found.distance_px[found.sure & ~found.doubted])) if len(doubted) < found.sure.sum() else None
    )
    for k in left:
        moved = None
        if pictures is not None and background is not None:
            moved = _moved(pictures[k], background, label_px[k]), _moved(pictures[k], background, seen_px[k])
        if moved is not None and moved[0] >= _MOVED_LEVELS and moved[1] < _CLEAR * moved[0]:
            continue
        is_label = moved is not None and moved[1] >= _MOVED_LEVELS and moved[0] < _CLEAR * moved[1]
        verdict = "the label is wrong" if is_label else "the label or the model is wrong"
        why = ", as nothing differs from the background where the label is" if is_label else ""
        others = f", the others by {usual:.1f}" if usual is not None else ""
        fits = _fitting(k, label_px, seen_px, found)
        hint = f", and the label of {files[fits]} fits" if fits is not None else ""
        text = (
            f"{files[k]}: label and what the model sees differ by {found.distance_px[k]:.0f} px (expected "
            f"{found.limit_px[k]:.0f} or less{others}){hint}: {verdict}{why}; look at it, and mend or "
            "remove its row of labels.csv"
        )
        doubts.append(Doubt("mislabelled", (files[k],), text, "refuse" if is_label else "warn"))
    return doubts


def _size(view: CameraView) -> tuple[int, int]:
    return view.intrinsics.width_px, view.intrinsics.height_px


def _exchanged(doubted: NDArray[np.int64], label_px: Array, seen_px: Array, distance: Array) -> list[tuple[int, int]]:
    """Return pairs of frames in doubt whose labels fit when they are exchanged, each frame at most once."""
    pairs: list[tuple[float, int, int]] = []
    for i, a in enumerate(doubted):
        for b in doubted[i + 1 :]:
            crossed = [_apart(label_px[x], seen_px[y]) / distance[y] for x, y in ((a, b), (b, a))]
            if max(crossed) < _EXCHANGED:
                pairs.append((max(crossed), int(a), int(b)))
    taken: set[int] = set()
    chosen = []
    for _, a, b in sorted(pairs):
        if not {a, b} & taken:
            taken |= {a, b}
            chosen.append((a, b))
    return chosen


def _fitting(k: int, label_px: Array, seen_px: Array, found: Residuals) -> int | None:
    """Return the frame, of those with a doubtful label, whose label fits what the model sees in frame k, or None."""
    loose = np.flatnonzero(found.doubted | ~found.sure)
    apart = {int(j): _apart(label_px[j], seen_px[k]) for j in loose if j != k}
    best = min(apart, key=lambda j: apart[j], default=None)
    return (
        best if best is not None and apart[best] < min(found.limit_px[k], _EXCHANGED * found.distance_px[k]) else None
    )


def _apart(label_px: Array, seen_px: Array) -> float:
    """Return the root mean square distance of keypoints (K, 2)."""
    return float(np.sqrt(np.mean(np.sum((label_px - seen_px) ** 2, axis=1))))


def _moved(picture: Picture, background: Array, pixels: Array) -> float:
    """Return how much a picture differs from the background around its keypoints (K, 2), levels; the least of them."""
    values = picture.astype(np.float64)
    gain = np.median(background / np.maximum(values, 1.0), axis=(0, 1))
    apart = np.abs(values * gain - background).max(axis=2)
    near = max(2, round(_NEAR_SHARE * apart.shape[1]))
    levels = []
    for x, y in pixels:
        if not (np.isfinite(x) and np.isfinite(y)):
            return 0.0
        left, top = round(float(x)), round(float(y))
        part = apart[max(top - near, 0) : max(top + near + 1, 0), max(left - near, 0) : max(left + near + 1, 0)]
        levels.append(float(np.median(part)) if part.size else 0.0)
    return min(levels)
