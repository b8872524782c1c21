"""One frame seen from another, from points that are known in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from calibration.calibration_record import CalibrationRecord, Finding, rows_of
from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.least_squares import of_step
from calibration.pose import Pose

Float = NDArray[np.float64]
_FEWEST = 4
_FLATTEST = 0.02
_METHOD = "closed form of least squares (Kabsch 1976; Umeyama 1991); 95 % from the residuals, Student's distribution"
# A scale this far from 1 is a unit, not an error.
_UNITS = {1000.0: "millimetres", 0.001: "kilometres", 100.0: "centimetres"}


@dataclass(frozen=True, eq=False)
class RigidFit:
    """A pose from points.

    Attributes:
        pose: a_from_b.
        covariance: (6, 6), of shift (m) and turn (rad) in the axes of a, at the middle of the points.
        middle: (3,), of the points in a.
        residuals: (N, 3), metres.
        scale: of b in a that would fit best; 1 when both are in the same unit.
        mirrored: whether a mirror image would fit much better.
    """

    pose: Pose
    covariance: Float
    middle: Float
    residuals: Float
    scale: float
    mirrored: bool

    @property
    def distances(self) -> Float:
        """Lengths of the residuals (N,), metres."""
        return np.asarray(np.linalg.norm(self.residuals, axis=1))


def fit_rigid(a: ArrayLike, b: ArrayLike, names: tuple[str, str] = ("a", "b")) -> RigidFit:
    """Return the pose a_from_b that brings points b (N, 3) onto points a (N, 3) best, in the sense of least squares.

    Raises:
        InputError: too few points, or points of which all lie on a line.
    """
    one, other = (np.asarray(p, np.float64).reshape(-1, 3) for p in (a, b))
    if len(one) != len(other) or len(one) < _FEWEST:
        raise InputError(f"a pose from points needs {_FEWEST} pairs or more, got {len(one)} and {len(other)} points")
    middle, other_middle = one.mean(axis=0), other.mean(axis=0)
    left, spread, right = np.linalg.svd((one - middle).T @ (other - other_middle))
    if spread[1] < _FLATTEST * spread[0]:
        raise InputError(f"a pose needs points that do not lie on a line, got {len(one)} that do; add others")
    sign = float(np.sign(np.linalg.det(left @ right)))
    turn = left @ np.diag([1.0, 1.0, sign]) @ right
    scale = float((spread * (1.0, 1.0, sign)).sum() / np.square(other - other_middle).sum())
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, middle - turn @ other_middle
    residuals = one - (other @ turn.T + matrix[:3, 3])
    freedom = 3 * len(one) - 6
    jacobian = of_step(one - middle).reshape(-1, 6)
    covariance = np.linalg.inv(jacobian.T @ jacobian) * np.square(residuals).sum() / freedom
    other_way = left @ np.diag([1.0, 1.0, -sign]) @ right
    mirror = one - middle - (other - other_middle) @ other_way.T
    mirrored = bool(sign < 0 and np.square(mirror).sum() < 0.1 * np.square(residuals).sum())
    return RigidFit(
        Pose.from_matrix(names[0], names[1], matrix), np.asarray(covariance), middle, residuals, scale, mirrored
    )


def rigid_record(fit: RigidFit, source: str) -> CalibrationRecord:
    """Return the record of a pose; shift and turn are about the middle of the points, and 0 at the best pose."""
    stds, count = np.sqrt(np.diag(fit.covariance)), len(fit.residuals)
    widening = float(stats.t.ppf(0.975, 3 * count - 6) / stats.norm.ppf(0.975))
    names = [f"pose.{n}" for n in ("shift_x_m", "shift_y_m", "shift_z_m", "turn_x_rad", "turn_y_rad", "turn_z_rad")]
    estimates = {
        name: Estimate.of_normal(0.0, float(s), count, "m" if k < 3 else "rad", _METHOD, widening=widening)
        for k, (name, s) in enumerate(zip(names, stds, strict=True))
    }
    quality = {f"pose.{axis}_m": v for axis, v in zip("xyz", fit.pose.position_m, strict=True)}
    quality |= {f"pose.q{axis}": v for axis, v in zip("xyzw", fit.pose.quat_xyzw, strict=True)}
    distances = fit.distances
    quality |= {"mean_m": float(distances.mean()), "largest_m": float(distances.max()), "scale": fit.scale}
    findings = []
    if fit.mirrored:
        findings.append(
            Finding("fault", "the points fit a mirror image", "one of the two frames is left-handed: negate an axis")
        )
    for factor, unit in _UNITS.items():
        if 0.8 < fit.scale * factor < 1.25:
            findings.append(Finding("fault", f"the second points are in {unit}", f"divide them by {factor:g}"))
    usual = float(np.median(distances))
    for k in np.flatnonzero(distances > 6 * usual).tolist():
        findings.append(
            Finding(
                "warning",
                f"pair {k} is {distances[k] * 1e3:.1f} mm off, the median one {usual * 1e3:.1f} mm",
                "check it",
            )
        )
    return CalibrationRecord(
        "rigid", source, count, estimates, tuple(names), rows_of(fit.covariance), quality, tuple(findings)
    )
