"""Choose a lens model by what it predicts of points that were not used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.boards.detect import BoardView
from calibration.errors import InputError
from calibration.intrinsics.fit import FEWEST_VIEWS, IntrinsicsFit, fit_intrinsics, pose_of_board
from calibration.intrinsics.lens_models import LENS_KINDS

Float = NDArray[np.float64]
_FOLDS = 4
# Beyond this share of the best error, a simpler model is not taken.
_AS_GOOD = 1.02


@dataclass(frozen=True, eq=False)
class LensChoice:
    """The fit with the chosen lens, and the error of held-out points by the name of each lens, pixels."""

    fit: IntrinsicsFit
    held_out_px: dict[str, float]


def choose_lens(views: Sequence[BoardView], kinds: Sequence[str] = tuple(LENS_KINDS)) -> LensChoice:
    """Return the fit whose lens predicts held-out points best; of two as good, the one with fewer numbers.

    Each lens is fitted to some of the views; of the others, every second point gives the pose of the board, and the
    rest are predicted.

    Raises:
        InputError: too few views.
    """
    errors = {}
    for kind in kinds:
        try:
            errors[kind] = _held_out(views, kind)
        except (InputError, np.linalg.LinAlgError):
            continue
    if not errors:
        return LensChoice(fit_intrinsics(views, "pinhole+k1k2"), {})
    best = min(errors.values())
    simplest = min(
        (k for k, e in errors.items() if e <= _AS_GOOD * best), key=lambda k: (len(LENS_KINDS[k].free), errors[k])
    )
    return LensChoice(fit_intrinsics(views, simplest), errors)


def _held_out(views: Sequence[BoardView], kind: str) -> float:
    folds = min(_FOLDS, len(views))
    if len(views) - -(-len(views) // folds) < FEWEST_VIEWS:
        return fit_intrinsics(views, kind).rms_px
    squares = []
    for fold in range(folds):
        kept = [v for k, v in enumerate(views) if k % folds != fold]
        camera = fit_intrinsics(kept, kind).camera
        for view in views[fold::folds]:
            for part in (0, 1):
                use = np.arange(len(view.ids)) % 2 == part
                known = replace(view, ids=view.ids[use], points_m=view.points_m[use], pixels=view.pixels[use])
                pose = pose_of_board(known, camera)
                placed = view.points_m[~use] @ pose[:3, :3].T + pose[:3, 3]
                squares.append(((camera.project(placed) - view.pixels[~use]) ** 2).sum(axis=1))
    # A median over views: a bad view must not choose the lens.
    return float(np.sqrt(np.median([np.nanmean(s) for s in squares])))
