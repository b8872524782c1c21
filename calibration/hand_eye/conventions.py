"""Find the convention that was mixed up: units, the order of a quaternion, the direction of poses, a mirrored frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.hand_eye.fit import chain_errors, start_of
from calibration.hand_eye.problem import HandEyeProblem
from calibration.intrinsics.lens_models import LENS_KINDS

Float = NDArray[np.float64]

# A chain this far off, pixels as a share of the picture's width, is not a matter of accuracy.
_FAR = 0.01
# Another reading of the poses is right when it is this many times nearer.
_NEARER = 4.0
# No arm reaches so far, metres; no arm's poses differ by so little.
_FARTHEST_M = 20.0


def check_conventions(problem: HandEyeProblem, camera: CameraIntrinsics) -> None:
    """Return if the poses of the robot can be what they say.

    Raises:
        InputError: another reading of them explains the pictures much better; it is named.
    """
    error = _error(problem, camera)
    reach = float(np.abs(problem.base_from_flange[:, :3, 3]).max())
    if error < _FAR * camera.width_px and reach < _FARTHEST_M:
        return
    others = [(_error(other, camera), words) for words, other in _readings(problem)]
    best, words = min(others, key=lambda found: found[0])
    if best * _NEARER < error:
        raise InputError(
            f"poses of the robot do not fit the pictures ({error:.0f} px off), but would if {words[0]} "
            f"({best:.1f} px); {words[1]}"
        )
    if reach >= _FARTHEST_M:
        raise InputError(f"poses of the robot must be in metres, got {reach:.0f} m from its base; divide by 1000?")


def _error(problem: HandEyeProblem, camera: CameraIntrinsics) -> float:
    return float(np.median(chain_errors(problem, camera, start_of(problem, camera, LENS_KINDS["pinhole"]))))


def _readings(problem: HandEyeProblem) -> Iterator[tuple[tuple[str, str], HandEyeProblem]]:
    """Return other readings of the poses: in words, what to do, and the problem."""
    poses = problem.base_from_flange
    for factor, unit in ((1e-3, "millimetres"), (1e3, "kilometres, or divided by 1000 twice")):
        scaled = poses.copy()
        scaled[:, :3, 3] *= factor
        yield (f"positions were in {unit}", f"multiply them by {factor:g}"), problem.with_poses(scaled)
    quats = Rotation.from_matrix(poses[:, :3, :3]).as_quat()
    for order, words in (
        ((1, 2, 3, 0), "quaternions were w x y z and were read as x y z w"),
        ((3, 0, 1, 2), "quaternions were x y z w and were read as w x y z"),
    ):
        turned = poses.copy()
        turned[:, :3, :3] = Rotation.from_quat(quats[:, order]).as_matrix()
        yield (words, "reorder their columns"), problem.with_poses(turned)
    yield (
        ("poses were flange_from_base", "invert them"),
        problem.with_poses(np.asarray(np.linalg.inv(poses), np.float64)),
    )
    for axis, name in enumerate("xyz"):
        mirror = np.eye(4)
        mirror[axis, axis] = -1.0
        words = f"the robot's frame was left-handed, with {name} the other way"
        yield (
            (words, f"negate {name} and the turns about the other two axes"),
            problem.with_poses(mirror @ poses @ mirror),
        )
    turned = poses.copy()
    turned[:, :3, :3] = poses[:, :3, :3].transpose(0, 2, 1)
    yield ("turns were inverted", "transpose the rotations"), problem.with_poses(turned)
    other = "beside" if problem.setup == "wrist" else "wrist"
    words = {"wrist": "the camera was on the wrist", "beside": "the camera stood beside the robot"}[other]
    yield (words, f"use --setup {other}"), HandEyeProblem(other, problem.views, poses)  # type: ignore[arg-type]
