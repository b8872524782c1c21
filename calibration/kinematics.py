"""Where the frames of a rig are: bodies, joints of primitive arms, links of a URDF."""

from __future__ import annotations

import importlib.util
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.hands import with_hand
from calibration.rig import Rig
from calibration.world import BodyParams, JointParams, LampParams, LightParams, WorldParams

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """One edge of a kinematic tree: `child` hangs on `parent` by `offset`, then moves by its joint."""

    child: str
    parent: str
    offset: Matrix
    joint: str | None
    prismatic: bool
    axis: Matrix


# Packages that ship robots, and what each is installed with.
_PACKAGES = {"pybullet_data": "pybullet", "calibration": "sim2real"}


def urdf_path(rig: Rig) -> Path:
    """Return the file of the rig's URDF; of an arm with a hand of another file, that of both together.

    Raises:
        InputError: there is no such file.
    """
    robot = rig.robot
    assert robot is not None
    arm = _named_file(rig, "urdf", robot.urdf)
    if robot.hand_urdf is None or robot.hand_link is None:
        return arm
    hand = _named_file(rig, "hand_urdf", robot.hand_urdf)
    return _joined(arm, hand, robot.hand_link, robot.hand_position_m, robot.hand_rpy_rad)


_joined = lru_cache(maxsize=8)(with_hand)


def _named_file(rig: Rig, key: str, name: str) -> Path:
    package, _, rest = name.partition(":")
    if package in _PACKAGES and rest:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise InputError(
                f"rig {rig.name}: robot.{key} '{name}' needs the package {_PACKAGES[package]}, which is not installed"
            )
        path = Path(spec.origin).parent / rest
    else:
        path = rig.folder / name
    if not path.is_file():
        raise InputError(f"rig {rig.name}: robot.{key} must be a file, got '{name}', looked for {path}")
    return path


def nominal_world(rig: Rig) -> WorldParams:
    """Return the world as the rig describes it, with every object in the middle of its placement."""
    bodies = {b.name: BodyParams(b.name, b.role, b.position_m, b.rpy_rad, rgb=b.rgb) for b in rig.bodies}
    joints = {j.name: (j.limits[0] + j.limits[1]) / 2 for j in rig.joints}
    if rig.robot is not None:
        joints.update(dict.fromkeys(_urdf_joint_names(str(urdf_path(rig))), 0.0))
        unknown = set(rig.robot.joints) - set(joints)
        if unknown:
            raise InputError(f"rig {rig.name}: the URDF has no joint '{min(unknown)}'; known: {', '.join(joints)}")
        joints.update(rig.robot.joints)
        bodies["robot"] = BodyParams("robot", "robot", rgb=(1.0, 1.0, 1.0))
    for p in rig.placements:
        if p.body is not None and p.x_m and p.y_m and p.z_m:
            b = bodies[p.body]
            middle = (sum(p.x_m) / 2, sum(p.y_m) / 2, sum(p.z_m) / 2)
            yaw = sum(p.yaw_rad) / 2
            bodies[p.body] = BodyParams(b.name, b.role, middle, (b.rpy_rad[0], b.rpy_rad[1], yaw), rgb=b.rgb)
        elif p.joint is not None and p.range is not None:
            joints[p.joint] = sum(p.range) / 2
    if rig.distractors is not None:
        for k in range(rig.distractors.count):
            bodies[f"distractor{k}"] = BodyParams(f"distractor{k}", "distractor", present=False)
    light = LightParams(
        rig.light.azimuth_rad,
        rig.light.elevation_rad,
        ambient=rig.light.ambient,
        diffuse=rig.light.diffuse,
        specular=rig.light.specular,
    )
    return WorldParams(tuple(bodies.values()), tuple(JointParams(n, v) for n, v in joints.items()), light, _lamps(rig))


def _lamps(rig: Rig) -> tuple[LampParams, ...]:
    """Return lamps that are off, in a row above the middle of the bodies."""
    x, y, z = np.mean([b.position_m for b in rig.bodies], axis=0).tolist() if rig.bodies else (0.0, 0.0, 0.0)
    return tuple(LampParams(f"lamp{k}", position_m=(x, y + side, z + 1.2)) for k, side in enumerate((-0.8, 0.0, 0.8)))


def frame_matrices(rig: Rig, world: WorldParams) -> dict[str, Matrix]:
    """Return world_from_frame (4, 4) for every joint, URDF link and body of the world."""
    robot = next((b for b in world.bodies if b.name == "robot" and rig.robot is not None), None)
    if robot is None:
        frames = joint_matrices(rig, world.joint_positions())
    else:
        moved = matrix_of(robot.position_m, robot.rpy_rad)
        frames = joint_matrices(rig, world.joint_positions(), moved)
        frames[robot.name] = _base(rig, moved)
    for params in world.bodies:
        if params.name in frames:
            continue
        parent = "world" if params.role == "distractor" else rig.body(params.name).parent
        frames[params.name] = frames[parent] @ matrix_of(params.position_m, params.rpy_rad)
    return frames


def joint_matrices(rig: Rig, joints: Mapping[str, float], robot_moved: Matrix | None = None) -> dict[str, Matrix]:
    """Return world_from_frame (4, 4) for "world", every joint of a primitive arm and every URDF link.

    Args:
        rig: the station.
        joints: positions by name; 0 for one that is left out.
        robot_moved: (4, 4), how far the URDF's base is from where the rig has it, in the base's own axes.
    """
    frames: dict[str, Matrix] = {"world": np.eye(4)}
    for link in kinematic_chain(rig, robot_moved):
        motion = np.eye(4)
        position = joints.get(link.joint, 0.0) if link.joint is not None else 0.0
        if link.prismatic:
            motion[:3, 3] = link.axis * position
        elif position:
            motion[:3, :3] = _turn(link.axis, position)
        frames[link.child] = frames[link.parent] @ link.offset @ motion
    return frames


def _base(rig: Rig, moved: Matrix | None) -> Matrix:
    """Return world_from_base (4, 4) of the URDF."""
    assert rig.robot is not None
    nominal = matrix_of(rig.robot.position_m, rig.robot.rpy_rad)
    return nominal if moved is None else nominal @ moved


def kinematic_chain(rig: Rig, robot_moved: Matrix | None = None) -> list[Link]:
    """Return the edges from "world" to every joint frame of the rig and every link of its URDF, parents first."""
    links = [
        Link(
            joint.name,
            joint.parent,
            matrix_of(joint.position_m, joint.rpy_rad),
            joint.name,
            joint.type == "prismatic",
            np.asarray(joint.axis),
        )
        for joint in rig.joints
    ]
    if rig.robot is not None:
        root, urdf_links = _read_urdf(str(urdf_path(rig)))
        links.append(Link(root, "world", _base(rig, robot_moved), None, False, np.zeros(3)))
        links.extend(urdf_links)
    return links


def matrix_of(position_m: tuple[float, float, float], rpy_rad: tuple[float, float, float]) -> Matrix:
    """Return the (4, 4) matrix of a position and fixed-axis roll, pitch, yaw."""
    roll, pitch, yaw = rpy_rad
    cr, sr, cp, sp = math.cos(roll), math.sin(roll), math.cos(pitch), math.sin(pitch)
    cy, sy = math.cos(yaw), math.sin(yaw)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr, position_m[0]],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr, position_m[1]],
            [-sp, cp * sr, cp * cr, position_m[2]],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def _turn(axis: Matrix, angle: float) -> Matrix:
    """Return the rotation about a unit axis (Rodrigues' formula)."""
    x, y, z = axis
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * k + (1.0 - np.cos(angle)) * (k @ k))


def urdf_names(rig: Rig) -> tuple[set[str], set[str]]:
    """Return the names of the links and of the moving joints of the rig's URDF.

    Raises:
        InputError: there is no such file, or it is no URDF.
    """
    root, links = _read_urdf(str(urdf_path(rig)))
    return {root} | {link.child for link in links}, {link.joint for link in links if link.joint is not None}


def _urdf_joint_names(path: str) -> list[str]:
    return [link.joint for link in _read_urdf(path)[1] if link.joint is not None]


@lru_cache(maxsize=8)
def _read_urdf(path: str) -> tuple[str, list[Link]]:
    """Return the root link and the joints of a URDF, parents first."""
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"robot.urdf must be a URDF file, got {path}: {error}") from None
    names = [link.get("name", "") for link in root.findall("link")]
    if root.tag != "robot" or not names:
        raise InputError(f"robot.urdf must hold a <robot> with links, got {path} with <{root.tag}>")
    joints = {
        joint.findall("child")[0].get("link", ""): joint for joint in root.findall("joint") if joint.findall("child")
    }
    roots = [name for name in names if name not in joints]
    if len(roots) != 1:
        raise InputError(f"robot.urdf must have one root link, got {len(roots)} in {path}")
    links: list[Link] = []
    pending = [roots[0]]
    while pending:
        parent = pending.pop(0)
        for child, joint in joints.items():
            if _attribute(joint, "parent", "link") == parent:
                try:
                    links.append(_link_of(joint, frame_name(parent), frame_name(child)))
                except ValueError as error:
                    raise InputError(f"robot.urdf must be a URDF file, got {path}: {error}") from None
                pending.append(child)
    return frame_name(roots[0]), links


def frame_name(link: str) -> str:
    """Return the name of a link's frame; a URDF's own "world" moves with its base, the station's does not."""
    return "world of the URDF" if link == "world" else link


def _link_of(joint: ElementTree.Element, parent: str, child: str) -> Link:
    xyz = _vector(_attribute(joint, "origin", "xyz"), (0.0, 0.0, 0.0))
    rpy = _vector(_attribute(joint, "origin", "rpy"), (0.0, 0.0, 0.0))
    axis = np.asarray(_vector(_attribute(joint, "axis", "xyz"), (1.0, 0.0, 0.0)))
    kind = joint.get("type")
    moves = kind in ("revolute", "continuous", "prismatic")
    norm = float(np.linalg.norm(axis)) or 1.0
    name = joint.get("name") if moves else None
    return Link(child, parent, matrix_of(xyz, rpy), name, kind == "prismatic", axis / norm)


def _attribute(element: ElementTree.Element, tag: str, name: str) -> str | None:
    found = element.find(tag)
    return None if found is None else found.get(name)


def _vector(text: str | None, default: tuple[float, float, float]) -> tuple[float, float, float]:
    if text is None:
        return default
    x, y, z = (float(v) for v in text.split())
    return x, y, z
