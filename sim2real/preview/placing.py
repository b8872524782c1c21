"""The nominal world with the labelled object where a label says it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.kinematics import frame_matrices, urdf_names
from calibration.lifting import joints_of_point, keypoints_in
from calibration.rig import Rig
from calibration.world import WorldParams, with_values
from sim2real.realdata import RealFrame


def labelled_world(rig: Rig, world: WorldParams, frame: RealFrame) -> WorldParams:
    """Return the world with the labelled object at the place of a photograph's label.

    Lift "plane" moves the body of the first keypoint, which keeps its turn, since the label does not say it. Lift
    "joints" sets the joints: those of labels.csv, or those that bring the label point to its place.

    Args:
        rig: the station.
        world: of the rig.
        frame: the photograph with its label.

    Raises:
        InputError: the first keypoint belongs to no body that could be moved.
    """
    if rig.label.lift == "joints":
        world_point = rig.world_from_label_frame().apply(frame.point_m)
        joints = frame.joints if frame.joints is not None else joints_of_point(rig, world_point)
        return with_values(world, {f"joints.{name}.position": value for name, value in joints.items()})
    name = rig.keypoints[0].frame
    if name not in {b.name for b in rig.bodies}:
        raise InputError(
            f"rig {rig.name}: the first keypoint must belong to a body to be placed at a label, got frame '{name}'"
        )
    frames = frame_matrices(rig, world)
    offset = frame.keypoints_world[0] - keypoints_in(rig, frames)[0]
    parent = frames[rig.body(name).parent][:3, :3]
    x, y, z = (np.asarray(world.body(name).position_m) + parent.T @ offset).tolist()
    return with_values(world, {f"bodies.{name}.position_m": (x, y, z)})


def target_bodies(rig: Rig) -> tuple[str, ...]:
    """Return the bodies that carry the keypoints; of a keypoint on a frame of the arm, what hangs on that frame."""
    names: dict[str, None] = {}
    bodies = {b.name for b in rig.bodies}
    links = urdf_names(rig)[0] if rig.robot is not None else set()
    for keypoint in rig.keypoints:
        if keypoint.frame in bodies:
            names[keypoint.frame] = None
        elif keypoint.frame in links or keypoint.frame == "robot":
            names["robot"] = None
        else:
            names.update(dict.fromkeys(b.name for b in rig.bodies if b.parent == keypoint.frame))
    return tuple(names)


def label_point_world(rig: Rig, frame: RealFrame) -> NDArray[np.float64]:
    """Return the labelled point (3,) in the world, metres."""
    return rig.world_from_label_frame().apply(frame.point_m)
