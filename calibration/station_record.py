"""What a fixed camera of a station saw on a good day: a reference that later frames are compared with."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.picture_shift import Shift, picture_shift
from calibration.timing.stamps import stamp_timing

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

_REFERENCE_PX = 320
_FEWEST = 5
# A frame of the record that is displaced by more saw the station from elsewhere.
_STILL_PX = 1.0
# Between black and white that the sensor cannot tell: where gains are measured.
_MEASURABLE = (15, 240)


@dataclass(frozen=True)
class Spread:
    """How one number varied from frame to frame; `centre` is the mean, `std` the standard deviation of `count`."""

    centre: float
    std: float
    count: int

    @classmethod
    def of(cls, values: ArrayLike) -> Spread:
        """Return the spread of values (N,)."""
        array = np.asarray(values, dtype=np.float64)
        return cls(float(array.mean()), float(array.std(ddof=1)), len(array))


@dataclass(frozen=True)
class StationRecord:
    """A fixed camera's view of a station, small enough for a JSON file.

    Attributes:
        width_px: of the frames.
        height_px: of the frames.
        background_png: median frame, 320 pixels wide at most, as a PNG in base64.
        still_png: 255 where the scene stood still, else 0, of the same size, as a PNG in base64.
        exposure: logarithm of a frame's brightness over the background's.
        red: logarithm of a frame's red gain over its green gain.
        blue: the same of blue.
        sharpness: logarithm of a frame's fine detail over its contrast.
        noise: standard deviation of a frame's noise, in levels of 255.
        shift_px: displacement of a frame against the background, pixels of a frame; it is the method's own error.
        period_s: of the frames; None if no stamps were given.
        jitter_s: standard deviation of the intervals; None if no stamps were given.
    """

    width_px: int
    height_px: int
    background_png: str
    still_png: str
    exposure: Spread
    red: Spread
    blue: Spread
    sharpness: Spread
    noise: Spread
    shift_px: Spread
    period_s: Estimate | None = None
    jitter_s: Estimate | None = None

    @property
    def scale(self) -> float:
        """Pixels of the reference for one pixel of a frame."""
        return min(1.0, _REFERENCE_PX / self.width_px)

    def background(self) -> Picture:
        """Return the reduced median frame (h, w, 3), RGB."""
        return np.asarray(cv2.cvtColor(_decoded(self.background_png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))

    def still(self) -> Picture:
        """Return the reduced mask (h, w), 0 where the scene did not stand still."""
        return _decoded(self.still_png, cv2.IMREAD_GRAYSCALE)


@dataclass(frozen=True)
class FrameLook:
    """What one frame looks like against a background; fields as in `StationRecord`, `shift` in pixels of a frame."""

    exposure: float
    red: float
    blue: float
    sharpness: float
    noise: float
    shift: Shift | None


def station_record(
    frames: Sequence[Picture], stamps_s: ArrayLike | None = None, source: str = "frames"
) -> StationRecord:
    """Return the record of a station from frames of its fixed camera; objects in front may move.

    The background is the median frame. A pixel stands still where its deviation from the background, after the
    frame's own gain, stays within the spread of the others.

    Args:
        frames: five or more (H, W, 3), RGB.
        stamps_s: when each was taken (N,), seconds.
        source: named in errors.

    Raises:
        InputError: fewer than five frames, different sizes, a camera that moves, or stamps that `stamp_timing` does not
            take.
    """
    check_frames(frames, source, _FEWEST)
    height, width = frames[0].shape[:2]
    small = np.stack([reduced(f, min(1.0, _REFERENCE_PX / width)) for f in frames])
    # Two rounds, as the first background holds frames of different exposure.
    background = np.median(small, axis=0)
    even = small / np.array([gains(background, f) for f in small])[:, None, None, :]
    background = np.median(even, axis=0)
    spread = 1.4826 * np.median(np.abs(even - background), axis=0).max(axis=-1)
    often = np.quantile(np.abs(even - background).max(axis=-1), 0.9, axis=0)
    still = (often < 4.0 * max(float(np.median(spread)), 1.0)).astype(np.uint8) * 255
    still = np.asarray(cv2.erode(still, np.ones((3, 3), np.uint8)), np.uint8)
    reference = np.clip(np.rint(background), 0, 255).astype(np.uint8)
    looks = [frame_look(reference, still, f) for f in frames]
    shifts = [look.shift.mean_px for look in looks if look.shift is not None]
    if len(shifts) < _FEWEST:
        raise InputError(
            f"{source}: the camera must stand still and see {_FEWEST} frames of one scene with corners in it, "
            f"got {len(shifts)} of {len(frames)} that agree; fix the camera, or light the scene"
        )
    if (moved := [s for s in shifts if s > _STILL_PX]) and len(moved) > len(shifts) / 10:
        raise InputError(
            f"{source}: the camera must stand still, {len(moved)} of {len(frames)} frames are displaced by up to "
            f"{max(moved):.1f} px; fix the camera and record again"
        )
    timing = None if stamps_s is None else stamp_timing(stamps_s, source).estimates
    return StationRecord(
        width,
        height,
        _encoded(cv2.cvtColor(reference, cv2.COLOR_RGB2BGR)),
        _encoded(still),
        Spread.of([look.exposure for look in looks]),
        Spread.of([look.red for look in looks]),
        Spread.of([look.blue for look in looks]),
        Spread.of([look.sharpness for look in looks]),
        Spread.of([look.noise for look in looks]),
        Spread.of(shifts),
        None if timing is None else timing["frames.period_s"],
        None if timing is None else timing["jitter_s"],
    )


def check_frames(frames: Sequence[Picture], source: str, fewest: int) -> None:
    """Check that there are enough frames (H, W, 3) of one size.

    Raises:
        InputError: there are not; it names the frame.
    """
    if len(frames) < fewest:
        raise InputError(f"{source}: at least {fewest} frames are needed, got {len(frames)}; record more")
    for row, frame in enumerate(frames):
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise InputError(f"{source}, frame {row}: must be uint8 (H, W, 3), got {frame.dtype} {frame.shape}")
        if frame.shape != frames[0].shape:
            raise InputError(
                f"{source}, frame {row}: must be {frames[0].shape[1]} x {frames[0].shape[0]} as the first, "
                f"got {frame.shape[1]} x {frame.shape[0]}; check the frames of one camera at a time"
            )


def reduced(frame: Picture, scale: float) -> Picture:
    """Return a frame reduced by a factor."""
    return np.asarray(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def gains(
    background: NDArray[np.generic], frame: NDArray[np.generic], still: NDArray[np.bool_] | None = None
) -> tuple[float, float, float]:
    """Return the median factor of each channel of a frame (h, w, 3) over the background, where neither is clipped."""
    low, high = _MEASURABLE
    first, second = background.astype(np.float64), frame.astype(np.float64)
    usable = ((first > low) & (first < high) & (second > low) & (second < high)).all(axis=-1)
    if still is not None:
        usable &= still
    if usable.sum() < 100:
        # A black or white frame: the means at least tell which.
        factors = (second.mean(axis=(0, 1)) + 1) / (first.mean(axis=(0, 1)) + 1)
    else:
        factors = np.median(second[usable] / first[usable], axis=0)
    red, green, blue = (float(v) for v in factors)
    return red, green, blue


def frame_look(background: Picture, still: Picture, frame: Picture) -> FrameLook:
    """Return what a frame (H, W, 3) looks like against a reduced background (h, w, 3) and its still mask (h, w)."""
    scale = background.shape[1] / frame.shape[1]
    small = cv2.resize(frame, (background.shape[1], background.shape[0]), interpolation=cv2.INTER_AREA)
    red, green, blue = gains(background, small, still > 0)
    shift = picture_shift(_grey(background), _grey(small), still)
    if shift is not None:
        s = shift
        shift = Shift(s.right_px / scale, s.down_px / scale, s.roll_rad, s.zoom, s.share, s.mean_px / scale)
    values = _grey(frame).astype(np.float32)
    fine = cv2.Laplacian(cv2.GaussianBlur(values, (0, 0), 1.0), cv2.CV_32F)
    return FrameLook(
        float(np.log(green)),
        float(np.log(red / green)),
        float(np.log(blue / green)),
        float(np.log((fine.std() + 1e-3) / (values.std() + 1e-3))),
        noise_level(values),
        shift,
    )


def noise_level(grey: NDArray[np.float32]) -> float:
    """Return the standard deviation of the noise of a picture (H, W), in its own levels (Immerkaer 1996).

    His mask is blind to planes; the quarter of pixels with the largest response is left out, as edges are there.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(grey, cv2.CV_32F, mask)) / 6.0
    # The mean size of the smaller three quarters of normal numbers is 0.515 standard deviations.
    return float(response[response <= np.quantile(response, 0.75)].mean()) / 0.515


def _grey(picture: NDArray[Any]) -> Picture:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def _encoded(picture: NDArray[Any]) -> str:
    return base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode("ascii")


def _decoded(text: str, flags: int) -> Picture:
    data = np.frombuffer(base64.b64decode(text), np.uint8)
    return np.asarray(cv2.imdecode(data, flags), np.uint8)
