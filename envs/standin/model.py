"""A rig's arm and bodies as a MuJoCo model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from calibration.bodies import Body
from calibration.kinematics import Link, kinematic_chain, urdf_path
from calibration.rig import Rig
from envs.standin.arm_data import ArmData
from envs.standin.collision import Collision, urdf_collisions

# Of a body in MJCF that has no more of its own than joint and place.
_ALONE = "1e-6"
# Time constant of contacts: MuJoCo's default for a body of 5 cm, for a smaller one as much shorter, since what pushes
# it sinks in by speed times this; never so short that steps would not follow.
_SOFT_S, _SOFT_S_PER_M, _SOFT_STEPS = 0.02, 0.4, 2.5
ARM, FINGERS, BASE = "arm", "robot", "base"


@dataclass(frozen=True)
class Model:
    """MJCF and what its parts are called.

    Attributes:
        xml: the model; its bodies have the names of the rig's frames and bodies, its joints and actuators those of the
            URDF's joints.
        pairs: for each contact pair of the model, in its order, what touches: a body of the rig, "robot" for the
            fingers, "arm" for any other link that moves, "base" for one that does not.
    """

    xml: str
    pairs: tuple[tuple[str, str], ...]


def build_model(rig: Rig, arm: ArmData, movable: Sequence[str], timestep_s: float) -> Model:
    """Return the model of a rig: its arm by URDF, movable bodies free, the others held in place.

    Joints, limits, masses and inertias are those of the source simulation. Contacts are MuJoCo's own, with its
    defaults for bodies of 5 cm, between the same bodies as there: all but links of the arm with each other, and held
    bodies with each other.

    Args:
        rig: with an arm.
        arm: what the source simulation knows of it.
        movable: names of the bodies that can be moved.
        timestep_s: of MuJoCo.

    Raises:
        InputError: the URDF cannot be used.
    """
    root = ElementTree.Element("mujoco", model=rig.name)
    _add(root, "compiler", angle="radian", autolimits="true", inertiafromgeom="false")
    _add(root, "option", timestep=_text([timestep_s]), integrator="implicitfast", cone="elliptic", tolerance="1e-10")
    default = _add(root, "default")
    # Which geoms touch is said by pairs alone.
    _add(default, "geom", contype="0", conaffinity="0")
    _add(default, "pair", condim="6")
    asset, world = _add(root, "asset"), _add(root, "worldbody")
    actuator, contact = _add(root, "actuator"), _add(root, "contact")
    geoms = [*_arm(rig, arm, world, asset), *_bodies(rig, movable, world)]
    for name in arm.motors:
        _add(actuator, "position", name=name, joint=name, kp="1", kv="1")
    side_m = {b.name: 2 * min(b.half_extents_m()[:2]) for b in rig.bodies if b.name in movable}
    pairs = []
    for (one, kind), (two, other) in combinations(geoms, 2):
        held = sum(k not in (ARM, FINGERS, *movable) for k in (kind, other))
        of_arm = sum(k in (ARM, FINGERS, BASE) for k in (kind, other))
        if held < 2 and of_arm < 2:
            moved = [side_m[k] for k in (kind, other) if k in side_m]
            softness_s = max(min([_SOFT_S, *(_SOFT_S_PER_M * side for side in moved)]), _SOFT_STEPS * timestep_s)
            _add(contact, "pair", geom1=one, geom2=two, solref=_text([softness_s, 1.0]))
            pairs.append((kind, other))
    return Model(ElementTree.tostring(root, encoding="unicode"), tuple(pairs))


def _arm(rig: Rig, arm: ArmData, world: ElementTree.Element, asset: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Add the links of the URDF; yield name and kind of each geom."""
    shapes: dict[str, list[Collision]] = {}
    for shape in urdf_collisions(urdf_path(rig)):
        shapes.setdefault(shape.link, []).append(shape)
    fingers = set(rig.robot.gripper.open) if rig.robot is not None and rig.robot.gripper is not None else set()
    elements, kinds = {"world": world}, {"world": BASE}
    own = {joint.name for joint in rig.joints}
    for link in kinematic_chain(rig):
        if link.child in own:
            continue
        element = _add(elements[link.parent], "body", name=link.child, **_place(link.offset))
        elements[link.child] = element
        kinds[link.child] = kinds[link.parent]
        if link.joint is not None:
            kinds[link.child] = FINGERS if link.joint in fingers else ARM
        if link.joint is not None:
            _joint(element, link, arm)
        for k, shape in enumerate(shapes.get(link.child, ())):
            name = f"{link.child}/{k}"
            given = {"size": _text(shape.size)} if shape.size else {"mesh": name}
            if shape.kind == "mesh":
                # Its inertia is not used, but is computed, and a flat hull has no volume.
                _add(asset, "mesh", name=name, vertex=_text(shape.points_m.ravel()), inertia="shell")
            _add(element, "geom", name=name, type=shape.kind, **given, **_place(shape.link_from_shape))
            yield name, kinds[link.child]


def _joint(element: ElementTree.Element, link: Link, arm: ArmData) -> None:
    assert link.joint is not None
    limits, inertia = arm.motors[link.joint], arm.inertias[link.joint]
    kind = "slide" if link.prismatic else "hinge"
    _add(element, "joint", name=link.joint, type=kind, axis=_text(link.axis), range=_text([limits.low, limits.high]))
    x, y, z, w = inertia.quat_xyzw
    _add(
        element, "inertial", pos=_text(inertia.centre_m), mass=_text([inertia.mass_kg]), quat=_text([w, x, y, z]),
        diaginertia=_text(inertia.diagonal_kg_m2),
    )  # fmt: skip


def _bodies(rig: Rig, movable: Sequence[str], world: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Add the rig's bodies that can be touched; yield name and kind of each geom."""
    for body in rig.bodies:
        if body.role not in ("object", "surface") or body.parent != "world":
            continue
        free = body.name in movable
        # A held body of MuJoCo stays where the model has it; one of mocap is placed anew for every episode.
        element = _add(world, "body", name=body.name, pos=_text(body.position_m), **({} if free else {"mocap": "true"}))
        if free:
            _add(element, "freejoint", name=body.name)
            _add(element, "inertial", pos="0 0 0", mass=_text([body.mass_kg]), diaginertia=" ".join([_ALONE] * 3))
        _add(element, "geom", name=body.name, type=body.shape, size=_text(shape_size(body)))
        yield body.name, body.name


def shape_size(body: Body) -> tuple[float, ...]:
    """Return the sizes of a body's shape in MuJoCo's order, halves of sides and lengths, metres."""
    half = body.half_extents_m()
    return {"box": half, "sphere": half[:1], "cylinder": (half[0], half[2])}[body.shape]


def _place(matrix: NDArray[np.float64]) -> dict[str, str]:
    quat = Rotation.from_matrix(matrix[:3, :3]).as_quat(scalar_first=True)
    return {"pos": _text(matrix[:3, 3]), "quat": _text(quat)}


def _add(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, attributes)


def _text(numbers: ArrayLike) -> str:
    return " ".join(repr(float(n)) for n in np.asarray(numbers, np.float64).ravel())
