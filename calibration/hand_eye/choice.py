"""Choose the lens model, and how far the robot is believed, by what is predicted of views that were not used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.errors import InputError
from calibration.hand_eye.fit import FEWEST_VIEWS, HandEyeFit, fit_hand_eye, likeness
from calibration.hand_eye.problem import HandEyeProblem
from calibration.hand_eye.refine import Accuracy
from calibration.intrinsics.fit import fit_intrinsics, rms

# What an arm that is in order is good for. Where errors of pixels are alike, the lens or the board is not quite as
# described, and what is missing there would be laid at the door of the robot.
_GOOD_ARM = Accuracy(3e-4, 3e-4)
_ALIKE = 1.5
_FOLDS = 3
LENSES = ("pinhole+k1", "pinhole+k1k2", "pinhole+k1k2p1p2", "pinhole+k1k2p1p2k3")


@dataclass(frozen=True, eq=False)
class Choice:
    """What was tried.

    Attributes:
        fit: on all views, with the best choice.
        held_out_px: median error of held-out views of each lens that was tried.
    """

    fit: HandEyeFit
    held_out_px: dict[str, float]


def choose(problem: HandEyeProblem, lenses: tuple[str, ...] = LENSES, accuracy: Accuracy | None = None) -> Choice:
    """Return the fit whose chain predicts held-out views best.

    Each lens model is fitted to two thirds of the views and judged on the pixels of the others, predicted through the
    robot's poses alone; three times.

    Args:
        problem: views and poses.
        lenses: to try.
        accuracy: of the robot at worst, if it is known.

    Raises:
        InputError: too few views.
    """
    alike = likeness(problem, fit_intrinsics(problem.views, lenses[-1]).camera)
    beliefs = [accuracy] if accuracy is not None or alike < _ALIKE else [None, _GOOD_ARM]
    tried = {(lens, belief): held_out(problem, lens, belief) for lens in lenses for belief in beliefs}
    best = min(tried, key=lambda key: tried[key])
    names = {lens: min(tried[lens, belief] for belief in beliefs) for lens in lenses}
    return Choice(fit_hand_eye(problem, None, best[0], best[1]), names)


def held_out(problem: HandEyeProblem, lens: str, accuracy: Accuracy | None = None) -> float:
    """Return the median over views of the error, pixels, with which the chain of other views predicts them."""
    count, errors = len(problem.views), []
    folds = min(_FOLDS, count // 2)
    if count - -(-count // max(folds, 1)) < FEWEST_VIEWS:
        # Too few to leave any out: how well they fit says what it can.
        return float(np.median(fit_hand_eye(problem, None, lens, accuracy).chain_px))
    for fold in range(folds):
        kept = [k for k in range(count) if k % folds != fold]
        try:
            fit = fit_hand_eye(problem.only(kept), None, lens, accuracy)
        except (InputError, np.linalg.LinAlgError):
            return float("inf")
        for k in range(fold, count, folds):
            view = problem.views[k]
            far = float(np.hypot(*view.size_px))
            seen = fit.predict(problem.base_from_flange[k], view.points_m)
            errors.append(rms(np.nan_to_num(seen - view.pixels, nan=far)))
    return float(np.median(errors))
