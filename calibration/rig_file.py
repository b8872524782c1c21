"""Read a rig file and check that its parts fit each other."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np

from calibration.apply_records import with_records
from calibration.errors import InputError
from calibration.kinematics import joint_matrices, nominal_world, urdf_names
from calibration.pose import Pose
from calibration.records import from_plain
from calibration.rig import Rig

_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")


def rig_names() -> list[str]:
    """Return the names of the rigs that come with the package."""
    folder = resources.files("calibration") / "rigs"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_rig(name_or_path: str) -> Rig:
    """Return the rig of a shipped name or of a TOML file.

    Raises:
        InputError: no such rig, no TOML, an unknown key, a value that cannot be, or parts that do not fit.
    """
    if name_or_path in rig_names():
        source = resources.files("calibration") / "rigs" / f"{name_or_path}.toml"
        return parse_rig(source.read_text(encoding="utf-8"), f"rig {name_or_path}", Path())
    path = Path(name_or_path)
    if not path.is_file():
        known = ", ".join(rig_names())
        raise InputError(f"rig must be a TOML file or one of {known}, got '{name_or_path}', which is neither")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read rig {path}: {error}") from None
    return parse_rig(text, str(path), path.resolve().parent)


def parse_rig(text: str, where: str, folder: Path) -> Rig:
    """Return the rig that TOML text describes; `where` is named in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = _TOML_LINE.search(str(error))
        at = f" line {line.group(1)}" if line else ""
        raise InputError(f"{where}{at} must be TOML: {_TOML_LINE.sub('', str(error)).strip()}") from None
    if data.get("format", 1) != 1:
        raise InputError(f"{where}: format must be 1, got {data['format']!r}")
    for key in ("folder", "measured"):
        if key in data:
            raise InputError(f"{where}: unknown key '{key}'")
    rig = with_records(replace(from_plain(Rig, data, where), folder=folder), where)
    _check(rig, where)
    return rig


def _check(rig: Rig, where: str) -> None:
    joints = _check_names(rig, where)
    bodies = {b.name for b in rig.bodies}
    for placement in rig.placements:
        if placement.body is not None and placement.body not in bodies:
            raise InputError(f"{where}: placement of unknown body '{placement.body}'")
        if placement.joint is not None and placement.joint not in joints:
            raise InputError(f"{where}: placement of unknown joint '{placement.joint}'")
    nominal_world(rig)  # checks the names of the robot's joints
    frames = set(joint_matrices(rig, {})) | bodies | ({"robot"} if rig.robot is not None else set())
    named = [(f"keypoint '{k.name}'", k.frame) for k in rig.keypoints]
    named += [(f"camera '{c.name}'", c.parent) for c in rig.cameras]
    for what, frame in (*named, ("label.point_frame", rig.label.point_frame)):
        if frame is not None and frame not in frames:
            raise InputError(f"{where}: {what} is in frame '{frame}'; known: {', '.join(sorted(frames))}")
    boxes = {b.name for b in rig.bodies if b.shape == "box"}
    if rig.alignment_body is not None and rig.alignment_body not in boxes:
        raise InputError(f"{where}: alignment_body must name a box, got '{rig.alignment_body}'")
    _check_label(rig, where)
    if min(rig.input_size_px) < 32:
        raise InputError(f"{where}: input_size_px must be at least 32, got {list(rig.input_size_px)}")
    _check_camera_outside(rig, where)


def _check_names(rig: Rig, where: str) -> set[str]:
    """Return the names of all joints."""
    links, urdf_joints = urdf_names(rig) if rig.robot is not None else (set(), set())
    names = [b.name for b in rig.bodies] + [j.name for j in rig.joints]
    taken = {"world"} | links | urdf_joints | ({"robot"} if rig.robot is not None else set())
    for name in names:
        if names.count(name) > 1 or name in taken:
            raise InputError(f"{where}: '{name}' names two things; give each body and joint its own name")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise InputError(f"{where}: '{name}' must be a word of letters, digits and _")
    cameras = [c.name for c in rig.cameras]
    if len(set(cameras)) != len(cameras):
        raise InputError(f"{where}: each camera needs a name of its own, got {', '.join(cameras)}")
    parents = {"world"}
    for joint in rig.joints:
        if joint.parent not in parents:
            raise InputError(
                f"{where}: joint '{joint.name}' has parent '{joint.parent}', not world or an earlier joint"
            )
        parents.add(joint.name)
    for body in rig.bodies:
        if body.parent not in parents:
            raise InputError(f"{where}: body '{body.name}' has parent '{body.parent}', which is no joint")
    return {j.name for j in rig.joints} | urdf_joints


def _check_label(rig: Rig, where: str) -> None:
    if not rig.keypoints:
        raise InputError(f"{where}: at least one [[keypoints]] is needed")
    if rig.label.lift == "joints" and not rig.joints:
        raise InputError(f"{where}: lift 'joints' needs [[joints]], which a URDF does not replace")
    if rig.label.lift == "pnp":
        if len(rig.keypoints) < 4:
            raise InputError(f"{where}: lift 'pnp' needs at least 4 keypoints, got {len(rig.keypoints)}")
        for keypoint in rig.keypoints:
            if keypoint.frame != rig.label.point_frame:
                raise InputError(
                    f"{where}: lift 'pnp' needs all keypoints in label.point_frame "
                    f"'{rig.label.point_frame}', got '{keypoint.name}' in '{keypoint.frame}'"
                )


def _check_camera_outside(rig: Rig, where: str) -> None:
    eye = np.asarray(rig.camera.position_m)
    for body in rig.bodies:
        if body.parent != "world":
            continue
        local = Pose.from_rpy("world", "body", body.position_m, body.rpy_rad).inverse().apply(eye)
        half = np.asarray(body.half_extents_m())
        if body.shape == "box":
            inside = bool((np.abs(local) <= half).all())
        elif body.shape == "sphere":
            inside = bool(np.linalg.norm(local) <= half[0])
        else:
            inside = bool(np.hypot(local[0], local[1]) <= half[0] and abs(local[2]) <= half[2])
        if inside:
            raise InputError(f"{where}: the camera at {list(rig.camera.position_m)} m is inside body '{body.name}'")
