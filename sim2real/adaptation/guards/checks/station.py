"""Pictures that show nothing, or another station than the others."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.station_check import check_station
from calibration.station_record import station_record
from sim2real.adaptation.guards.checks.doubt import Doubt, named

Picture = NDArray[np.uint8]
Array = NDArray[np.float64]

_SMALL_PX = (40, 30)
# A picture of one grey: spread of its levels; what noise alone gives is less after reduction.
_FLAT_LEVELS = 3.0
# How far below the others' correlation with the background a picture of another place lies.
_LEAST_DROP, _SPREADS = 0.25, 8.0
_FEWEST = 3
# More pictures do not make the background better.
_MOST = 60
# A record of a station needs this many frames.
_FEWEST_OF_RECORD = 5


def flat_pictures(pictures: Sequence[Picture]) -> NDArray[np.bool_]:
    """Return which pictures (H, W, 3) are black, white or of one grey, but for noise."""
    return np.array([_reduced(p).std(axis=(0, 1)).max() < _FLAT_LEVELS for p in pictures], dtype=np.bool_)


def check_station_of(
    files: Sequence[str], pictures: Sequence[Picture], others: Sequence[Picture] | None
) -> list[Doubt]:
    """Return doubts about constant pictures, pictures of another station, a moved camera and swapped channels.

    Pictures are compared with the background, the median over `others` (or over the frames themselves), by the
    correlation of reduced pictures, which knows nothing of exposure. A picture is foreign when it lies far below the
    others' own correlation. What `calibration.station_check` calls a fault is reported as well.

    Args:
        files: of the N frames.
        pictures: of one size.
        others: of the same size, from the station that the model is for; without them, the majority of frames decides.
    """
    flat = flat_pictures(pictures)
    doubts = [_flat_doubt(files, pictures, flat)] if flat.any() else []
    kept = [k for k in range(len(files)) if not flat[k]]
    reference = [p for p, f in zip(others, flat_pictures(others), strict=True) if not f] if others else []
    reference = reference if len(reference) >= _FEWEST else [pictures[k] for k in kept]
    reference = reference[:: max(1, -(-len(reference) // _MOST))]
    if len(reference) < _FEWEST or not kept:
        return doubts
    values, usual = _correlations([pictures[k] for k in kept], reference)
    spread = 1.4826 * float(np.median(np.abs(usual - np.median(usual))))
    limit = float(np.median(usual)) - max(_LEAST_DROP, _SPREADS * spread)
    foreign = values < limit
    if foreign.any():
        which = tuple(files[k] for k, f in zip(kept, foreign, strict=True) if f)
        text = (
            f"{named(which)} look{'s' if len(which) == 1 else ''} like another station: expected a correlation of "
            f"{limit:.2f} or more with the background of the others, got {values[foreign].max():.2f}"
            f"{' at most' if len(which) > 1 else ''}; take frames of one station and one camera pose only"
        )
        doubts.append(Doubt("another station", which, text, "refuse"))
    own = [k for k, f in zip(kept, foreign, strict=True) if not f]
    return doubts + _recorded(files, pictures, own, reference)


def _flat_doubt(files: Sequence[str], pictures: Sequence[Picture], flat: NDArray[np.bool_]) -> Doubt:
    which = tuple(f for f, is_flat in zip(files, flat, strict=True) if is_flat)
    level = float(np.mean([p.mean() for p, f in zip(pictures, flat, strict=True) if f]))
    look = "black" if level < 16 else "white" if level > 240 else "of one grey"
    text = (
        f"{named(which)} {'are' if len(which) > 1 else 'is'} {look}: expected pictures of the station, got a mean of "
        f"{level:.0f} of 255 and no contrast; check lens cap, exposure and files, and leave them out"
    )
    return Doubt("constant picture", which, text, "refuse")


def _correlations(pictures: Sequence[Picture], reference: Sequence[Picture]) -> tuple[Array, Array]:
    """Return correlations with the median of the reference: of pictures (N,), and of the reference itself (M,)."""
    usual = np.stack([_normal(_reduced(p)) for p in reference])
    middle = np.median(usual, axis=0)
    background = (middle - middle.mean()) / max(float(middle.std()), 1e-6)
    own = np.stack([_normal(_reduced(p)) for p in pictures])
    return (own * background).mean(axis=(1, 2)), (usual * background).mean(axis=(1, 2))


def _reduced(picture: Picture) -> Array:
    return np.asarray(cv2.resize(picture, _SMALL_PX, interpolation=cv2.INTER_AREA), np.float64)


def _normal(picture: Array) -> Array:
    """Return a picture (h, w, 3) as grey (h, w) with mean 0 and standard deviation 1: exposure is gone."""
    grey = picture.mean(axis=2)
    centred = grey - grey.mean()
    return np.asarray(centred / max(float(centred.std()), 1e-6))


def _recorded(
    files: Sequence[str], pictures: Sequence[Picture], own: Sequence[int], reference: Sequence[Picture]
) -> list[Doubt]:
    """Return what the station check finds frame by frame: a moved camera, exchanged channels."""
    if len(reference) < _FEWEST_OF_RECORD:
        return []
    try:
        record = station_record(reference)
    except InputError:
        # Too little texture, or a camera that moves on purpose: nothing to compare with.
        return []
    moved: list[tuple[int, str]] = []
    swapped: list[int] = []
    for k in own:
        faults = [f for f in check_station(record, [pictures[k]]).findings if f.level == "fault"]
        for fault in faults:
            if "swapped" in fault.what:
                swapped.append(k)
            elif "moved" in fault.what:
                moved.append((k, fault.what))
    doubts = []
    if swapped:
        which = tuple(files[k] for k in swapped)
        text = (
            f"red and blue of {named(which)} are exchanged: expected RGB like the other pictures, got what fits them "
            "as BGR; convert the files"
        )
        doubts.append(Doubt("swapped channels", which, text, "refuse"))
    if moved:
        which = tuple(files[k] for k, _ in moved)
        text = (
            f"the camera of {named(which)} stood elsewhere than for the other pictures: {moved[0][1]}; leave them out"
        )
        doubts.append(Doubt("moved camera", which, text, "warn"))
    return doubts
