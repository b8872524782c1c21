"""Hand-eye and robot-world calibration, from views of a board and poses of a robot."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.hand_eye.closed_form import closed_form
from calibration.hand_eye.problem import HandEyeProblem
from calibration.hand_eye.refine import Accuracy, Chain, Noise, Refined, refine
from calibration.intrinsics.correlation import inflation
from calibration.intrinsics.fit import fit_intrinsics, pose_of_board, rms
from calibration.intrinsics.lens_models import LENS_KINDS, LensKind
from calibration.pose import Pose

Float = NDArray[np.float64]

# Two turns about different axes give the pose of a camera, one more view checks it.
FEWEST_VIEWS = 4
# A view is wrong when its pixels, through the others' chain, are this many times further off than the median view's.
_BAD_RATIO, _BAD_PX = 5.0, 3.0
# It is looked at when it is this much further off, and wrong if the others then fit better by as much.
_SUSPECT_RATIO, _SUSPECT_PX = 2.0, 1.5
_MOST_BAD = 0.4


@dataclass(frozen=True, eq=False)
class HandEyeFit:
    """A camera on its place.

    Attributes:
        problem: the views and poses that were used.
        camera: the lens, fitted as well or given.
        lens: which numbers of it were free; None when it was given.
        mount_from_camera: the result; the mount is the flange, or the base for a camera beside the robot.
        carrier_from_board: where the board is on what carries it.
        board_scale: the size of the board over the declared one.
        covariance: (F + 13, F + 13): free numbers of the lens; shift (m) and turn (rad) of the camera in its own axes;
            the same of the board, in the carrier's axes; the logarithm of the board's scale.
        noise: of pixels and of the robot, as the residuals show it.
        chain_px: (V,), root mean square distance of pixels from where the chain through the robot's poses puts them.
        bad: (name, error in pixels) of views that were left out.
        widening: factor on intervals of a normal error, by Student's distribution.
    """

    problem: HandEyeProblem
    camera: CameraIntrinsics
    lens: LensKind | None
    mount_from_camera: Pose
    carrier_from_board: Pose
    board_scale: float
    covariance: Float
    noise: Noise
    chain_px: Float
    bad: tuple[tuple[str, float], ...]
    widening: float

    def predict(self, base_from_flange: Float, points_m: Float) -> Float:
        """Return pixels (N, 2) of points of the board (N, 3) when the robot is at a pose (4, 4)."""
        middle = np.linalg.inv(base_from_flange) if self.problem.setup == "wrist" else base_from_flange
        chain = np.linalg.inv(self.mount_from_camera.matrix()) @ middle @ self.carrier_from_board.matrix()
        return self.camera.project(self.board_scale * points_m @ chain[:3, :3].T + chain[:3, 3])


def fit_hand_eye(
    problem: HandEyeProblem,
    camera: CameraIntrinsics | None = None,
    lens: str = "pinhole+k1k2",
    accuracy: Accuracy | None = None,
) -> HandEyeFit:
    """Return where the camera is.

    OpenCV's closed forms on the poses of the board are the start; then reprojection errors are made smallest over the
    pose of the camera, that of the board and its size, the lens unless it is given, and small errors of the robot's
    poses. Views that the others contradict are left out and named.

    Args:
        problem: views and poses of the robot.
        camera: the known lens, or None to fit it as well.
        lens: which numbers of it are free.
        accuracy: of the robot at worst; None to find it from the data alone.

    Raises:
        InputError: too few views.
    """
    if len(problem.views) < FEWEST_VIEWS:
        missing = FEWEST_VIEWS - len(problem.views)
        raise InputError(
            f"hand-eye calibration needs {FEWEST_VIEWS} views of the board or more, got {len(problem.views)}; take "
            f"{missing} more, with the robot turned another way in each"
        )
    kind = LENS_KINDS[lens]
    first = fit_intrinsics(problem.views, kind).camera if camera is None else camera
    alike = likeness(problem, first)
    kept = list(range(len(problem.views)))
    bad: list[tuple[str, float]] = []
    chain = start_of(problem, first, kind)
    errors = chain_errors(problem, first, chain)
    # Least median of squares has chosen the start, so what it does not explain can be left out at once.
    for k in np.argsort(errors)[::-1].tolist():
        usual = float(np.median(np.delete(errors, k)))
        if errors[k] > max(3 * _BAD_RATIO * usual, 10 * _BAD_PX) and _may_drop(kept, bad):
            kept.remove(k)
            bad.append((problem.names[k], float(errors[k])))
    now, refined, errors = _refined(problem, kept, kind, first, chain, camera, alike, accuracy)
    while len(kept) > FEWEST_VIEWS:
        others = np.array([np.median(np.delete(errors, k)) for k in range(len(errors))])
        worst = int(np.argmax(errors / others))
        if errors[worst] < max(_SUSPECT_RATIO * others[worst], _SUSPECT_PX) or not _may_drop(kept, bad):
            break
        rest = [k for k in kept if k != kept[worst]]
        without = _refined(problem, rest, kind, first, refined.chain, camera, alike, accuracy)
        # A wrong view also pulls at the others: without it, they must fit better.
        gone = errors[worst] > max(_BAD_RATIO * others[worst], _BAD_PX)
        if not gone and rms_of(without[2]) > rms_of(np.delete(errors, worst)) / _SUSPECT_RATIO:
            break
        bad.append((now.names[worst], float(errors[worst])))
        kept = rest
        now, refined, errors = without
    fitted = camera or kind.camera(refined.chain.values, *problem.views[0].size_px)
    return _result(now, fitted, kind if camera is None else None, refined, errors, tuple(bad))


def _refined(
    problem: HandEyeProblem,
    kept: list[int],
    kind: LensKind,
    first: CameraIntrinsics,
    chain: Chain,
    camera: CameraIntrinsics | None,
    alike: float,
    accuracy: Accuracy | None,
) -> tuple[HandEyeProblem, Refined, Float]:
    """Return some of the views, the fit to them, and their errors through the chain, pixels."""
    now = problem.only(kept)
    start = replace(chain, slack=np.zeros((len(kept), 6)))
    refined = refine(now, kind, first, start, camera is None, alike, accuracy)
    fitted = camera or kind.camera(refined.chain.values, *problem.views[0].size_px)
    return now, refined, chain_errors(now, fitted, refined.chain)


def rms_of(errors: Float) -> float:
    """Return the root mean square of numbers."""
    return float(np.sqrt((errors**2).mean()))


def likeness(problem: HandEyeProblem, camera: CameraIntrinsics) -> float:
    """Return by how much neighbouring points' being alike inflates variances; see `inflation`."""
    residuals = []
    for view in problem.views:
        pose = pose_of_board(view, camera)
        residuals.append(camera.project(view.points_m @ pose[:3, :3].T + pose[:3, 3]) - view.pixels)
    return inflation(problem.views, residuals, 6.0)


def _may_drop(kept: list[int], bad: list[tuple[str, float]]) -> bool:
    return len(bad) + 1 <= _MOST_BAD * (len(kept) + len(bad)) and len(kept) > FEWEST_VIEWS


def start_of(problem: HandEyeProblem, camera: CameraIntrinsics, kind: LensKind) -> Chain:
    """Return the chain of the closed forms."""
    boards = np.array([pose_of_board(view, camera) for view in problem.views])
    mount, carrier = closed_form(problem.mount_from_carrier(), boards)
    return Chain(kind.values(camera), mount, carrier, 0.0, np.zeros((len(problem.views), 6)))


def chain_errors(problem: HandEyeProblem, camera: CameraIntrinsics, chain: Chain) -> Float:
    """Return the root mean square distance of each view's pixels (V,) from where the robot's poses put them, pixels."""
    errors = []
    for view, middle in zip(problem.views, problem.mount_from_carrier(), strict=True):
        whole = chain.camera_from_mount @ middle @ chain.carrier_from_board
        pixels = camera.project(np.exp(chain.log_scale) * view.points_m @ whole[:3, :3].T + whole[:3, 3])
        # What falls behind the camera is as wrong as can be.
        far = float(np.hypot(camera.width_px, camera.height_px))
        errors.append(rms(np.nan_to_num(pixels - view.pixels, nan=far)))
    return np.array(errors)


def _result(
    problem: HandEyeProblem,
    camera: CameraIntrinsics,
    lens: LensKind | None,
    refined: Refined,
    errors: Float,
    bad: tuple[tuple[str, float], ...],
) -> HandEyeFit:
    chain, size = refined.chain, len(refined.covariance) - 13
    # The step of camera_from_mount is in the camera's axes, and moves the world there: the camera moves the other way.
    sign = np.ones(size + 13)
    sign[size : size + 6] = -1.0
    covariance = refined.covariance * np.outer(sign, sign)
    freedom = max(6 * len(problem.views) - 12, 2)
    carrier = Pose.from_matrix(problem.frames[1], "board", chain.carrier_from_board)
    return HandEyeFit(
        problem,
        camera,
        lens,
        problem.mount_from_camera(chain.camera_from_mount),
        carrier,
        float(np.exp(chain.log_scale)),
        covariance,
        refined.noise,
        errors,
        bad,
        float(stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975)),
    )
