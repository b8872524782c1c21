"""Whether labels are in the rig's units and in its label frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.extrinsics import CameraPrior
from calibration.lifting import label_point_of_joints, lift
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import CameraParams
from sim2real.adaptation.guards.checks.doubt import Doubt, named
from sim2real.adaptation.guards.checks.workspace import Workspace, joints_outside, off_picture

Array = NDArray[np.float64]

# Factors that a unit other than the metre puts on labels.
_UNITS = {1000.0: "millimetres", 100.0: "centimetres", 1e6: "micrometres", 39.37: "inches", 3.281: "feet"}
_DEGREES = 180 / np.pi
# How near an estimated factor must be to a unit's for it to be named.
_NEAR = 1.15
# Displacement of labels against the model's keypoints, over what the camera's own uncertainty explains.
_SIGMAS = 5.0
# It is said of as many frames, when this share of them agrees.
_FEWEST, _AGREE = 3, 0.75
# Labels that a factor or an offset explains lie within this share of the workspace's size of where the model sees them.
_EXPLAINED = 0.15


def check_units(
    rig: Rig,
    view: CameraView,
    prior: CameraPrior,
    files: Sequence[str],
    points: Array,
    points_world: Array,
    joints: Sequence[Mapping[str, float] | None],
    seen_px: Array | None = None,
) -> list[Doubt]:
    """Return doubts about units and frame of labels: those outside the rig's workspace, or all displaced one way.

    Args:
        rig: the station.
        view: the camera known before, at the size of the pictures that the pixels are in.
        prior: how well the camera is known: a displacement that it explains is no fault of the labels.
        files: of the N frames.
        points: (N, 3) label points, in the label's frame.
        points_world: (N, K, 3) keypoints of the labels.
        joints: measured joint positions of each frame, or None.
        seen_px: (N, K, 2) keypoints by a model; NaN for a frame in which it is not sure. Without it, a factor is
            estimated from the workspace alone and an offset within the workspace is not found.
    """
    space = Workspace.of(rig)
    turned = _joint_doubt(rig, files, joints)
    beyond = space.outside(points) | off_picture(view, points_world)
    predicted = None
    if seen_px is not None:
        sure = np.isfinite(seen_px).all(axis=(1, 2))
        predicted = np.full((len(files), 3), np.nan)
        for k in np.flatnonzero(sure):
            predicted[k] = lift(rig, view, seen_px[k])
        if not sure.any():
            predicted = None
    if turned and len(turned[0].files) > len(files) / 2:
        return turned
    if beyond.sum() > len(files) / 2:
        return [*turned, _explain(rig, space, files, points, predicted)]
    doubts = [*turned, *_contradiction(rig, space, files, points, joints)]
    if beyond.any():
        doubts.append(_outside(rig, space, files, points, beyond))
    elif (
        predicted is not None
        and seen_px is not None
        and displacement(view, prior, rig.label.std_m, points_world, seen_px) > _SIGMAS
    ):
        doubts.append(_displaced(rig, space, files, points, predicted))
    return doubts


def displacement(
    view: CameraView, prior: CameraPrior, label_std_m: float, points_world: Array, seen_px: Array
) -> float:
    """Return the median displacement of projected labels against seen keypoints, over its standard deviation.

    Its covariance is that of the camera's prior, propagated through the projection, and of one label: labels of one
    session may share their error. It is 0 where frames are fewer than three or displaced in different ways: that is no
    matter of a frame.
    """
    flat = points_world.reshape(-1, 3)
    base = view.project(flat)
    each = (base - seen_px.reshape(-1, 2)).reshape(len(points_world), -1, 2).mean(axis=1)
    each = each[np.isfinite(each).all(axis=1)]
    if len(each) < _FEWEST:
        return 0.0
    off = np.median(each, axis=0)
    apart = np.sort(np.linalg.norm(each - off, axis=1))[math.ceil(_AGREE * len(each)) - 1]
    if apart > 0.5 * np.linalg.norm(off):
        return 0.0
    covariance = np.eye(2) * (1.0 + _label_px(view, label_std_m, flat) ** 2)
    for index, std in enumerate(prior.scales()):
        values = np.zeros(7)
        values[index] = std
        change = CameraParams(tuple(values[:3].tolist()), tuple(values[3:6].tolist()), 1.0 + float(values[6]))
        moved = np.nanmedian(view.moved(change).project(flat) - base, axis=0)
        covariance += np.outer(moved, moved)
    if not np.isfinite(off).all() or not np.isfinite(covariance).all():
        return float("nan")
    return float(np.sqrt(off @ np.linalg.solve(covariance, off)))


def _label_px(view: CameraView, std_m: float, points_world: Array) -> float:
    depth = np.median(view.world_from_camera.inverse().apply(points_world)[:, 2])
    return float(std_m * view.intrinsics.fx_px / max(depth, 1e-3))


def _explain(rig: Rig, space: Workspace, files: Sequence[str], points: Array, predicted: Array | None) -> Doubt:
    """Return the doubt about labels outside the workspace, with the factor or offset that brings them back."""
    expected = f"expected metres in frame '{rig.label.frame}', {space}; got a median of {_triple(points)}"
    factor, offset = _factor(space, points, predicted), _offset(space, points, predicted)
    if factor is None and offset is None:
        # A model that has hardly learned anything explains nothing; the workspace still may.
        factor, offset = _factor(space, points, None), _offset(space, points, None)
    # Both may fit a single label; a factor that is a unit's is then the likelier fault.
    if factor is not None and (offset is None or _unit(factor) is not None):
        unit = _unit(factor)
        size = f"{factor:.4g} times too large" if factor > 1 else f"{1 / factor:.4g} times too small"
        question = f": are they {unit}?" if unit and factor > 1 else ""
        text = f"labels look {size}{question} {expected}; " + (
            f"divide the columns of labels.csv by {factor:.4g}" if factor > 1 else f"multiply by {1 / factor:.4g}"
        )
        return Doubt("units", tuple(files), text, "refuse")
    if offset is not None:
        text = (
            f"labels look displaced by ({offset[0]:.4g}, {offset[1]:.4g}, {offset[2]:.4g}) m: are they in another "
            f"frame? {expected}; subtract it in labels.csv, or set label_frame_position_m of the rig"
        )
        return Doubt("label frame", tuple(files), text, "refuse")
    text = (
        f"labels lie outside the workspace or the picture, and neither a factor nor an offset brings them back: "
        f"{expected}; check units, order of columns and frame of labels.csv"
    )
    return Doubt("units", tuple(files), text, "refuse")


def _factor(space: Workspace, points: Array, predicted: Array | None) -> float | None:
    """Return the factor on labels that explains them, or None."""
    if predicted is not None:
        known = np.isfinite(predicted).all(axis=1)
        label, seen = points[known], predicted[known]
        factor = float(np.median((label * seen).sum(axis=1) / np.maximum((seen**2).sum(axis=1), 1e-12)))
        if factor <= 0:
            return None
        near = min((f for u in _UNITS for f in (u, 1 / u)), key=lambda f: abs(np.log(f / factor)))
        factor = near if max(near / factor, factor / near) < _NEAR else factor
        left = np.median(np.linalg.norm(label / factor - seen, axis=1))
        return factor if left < _EXPLAINED * float(np.linalg.norm(space.high - space.low)) else None
    for unit in _UNITS:
        for factor in (unit, 1 / unit):
            if space.outside(points / factor).mean() < 0.2:
                return factor
    return None


def _offset(space: Workspace, points: Array, predicted: Array | None) -> Array | None:
    """Return the offset of labels (3,) that explains them, or None."""
    size = float(np.linalg.norm(space.high - space.low))
    if predicted is not None:
        known = np.isfinite(predicted).all(axis=1)
        offset = np.median(points[known] - predicted[known], axis=0)
        left = np.median(np.linalg.norm(points[known] - offset - predicted[known], axis=1))
        return offset if len(points) > 1 and left < _EXPLAINED * size else None
    if len(points) < 2:
        return None
    offset = np.median(points, axis=0) - space.centre
    return offset if space.outside(points - offset).mean() < 0.2 else None


def _unit(factor: float) -> str | None:
    """Return the unit whose factor this is, or whose inverse."""
    for known, name in _UNITS.items():
        for one in (known, 1 / known):
            if max(factor / one, one / factor) < _NEAR:
                return name
    return None


def _displaced(rig: Rig, space: Workspace, files: Sequence[str], points: Array, predicted: Array) -> Doubt:
    offset = np.nanmedian(points - predicted, axis=0)
    text = (
        f"labels lie ({offset[0]:.3g}, {offset[1]:.3g}, {offset[2]:.3g}) m from where the model sees the target, the "
        f"same way in all frames and more than the camera's uncertainty explains, expected 0 in frame "
        f"'{rig.label.frame}'; check label_frame_position_m and camera of the rig, and where the labels are measured"
    )
    return Doubt("label frame", tuple(files), text, "warn")


def _outside(rig: Rig, space: Workspace, files: Sequence[str], points: Array, beyond: NDArray[np.bool_]) -> Doubt:
    which = tuple(f for f, b in zip(files, beyond, strict=True) if b)
    text = (
        f"labels of {named(which)} lie outside the workspace or the picture: expected {space} in frame "
        f"'{rig.label.frame}', got {_triple(points[beyond])}; mend them in labels.csv, or widen [[placements]] of the "
        "rig"
    )
    return Doubt("outside", which, text, "refuse")


def _joint_doubt(rig: Rig, files: Sequence[str], joints: Sequence[Mapping[str, float] | None]) -> list[Doubt]:
    """Return the doubt about joint positions beyond the rig's limits, with the unit that they may be in."""
    bad = [
        (f, dict(j), names) for f, j in zip(files, joints, strict=True) if j and (names := joints_outside(rig, dict(j)))
    ]
    if not bad:
        return []
    file, values, names = bad[0]
    joint = next(j for j in rig.joints if j.name == names[0])
    low, high = joint.limits
    value = values[joint.name]
    factor, unit, own = (_DEGREES, "degrees", "radians") if joint.type == "revolute" else (1e3, "millimetres", "metres")
    fits = low <= value / factor <= high
    question = f"are they {unit}? divide them by {factor:.4g}" if fits else "check its column, sign and unit"
    text = (
        f"joint {joint.name} ({joint.column}) must lie between {low:.3g} and {high:.3g} {own}, got {value:.4g} in "
        f"{file}{f' and {len(bad) - 1} more frames' if len(bad) > 1 else ''}; {question} in labels.csv"
    )
    return [Doubt("joints", tuple(f for f, _, _ in bad), text, "refuse")]


def _contradiction(
    rig: Rig, space: Workspace, files: Sequence[str], points: Array, joints: Sequence[Mapping[str, float] | None]
) -> list[Doubt]:
    """Return the doubt about label points that are not where the measured joints bring the tool."""
    if rig.label.lift != "joints":
        return []
    limit = max(10 * rig.label.std_m, 0.05 * float((space.high - space.low).max()))
    apart = np.array(
        [
            0.0 if j is None else np.linalg.norm(label_point_of_joints(rig, j) - p)
            for p, j in zip(points, joints, strict=True)
        ]
    )
    which = tuple(f for f, a in zip(files, apart, strict=True) if a > limit)
    if not which:
        return []
    text = (
        f"label point and measured joints of {named(which)} contradict each other: at most {limit:.3g} m apart is "
        f"expected, got {apart.max():.3g}; check both columns in labels.csv, and frame and kinematics of the rig"
    )
    return [Doubt("contradicting labels", which, text, "refuse")]


def _triple(points: Array) -> str:
    x, y, z = np.median(points, axis=0)
    return f"({x:.4g}, {y:.4g}, {z:.4g})"
