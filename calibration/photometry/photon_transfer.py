"""Sensor noise from a static sequence, by the photon transfer method."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from calibration.calibration_record import CalibrationRecord, Finding
from calibration.estimate import Estimate
from calibration.photometry.frames import Array, Float, Frames, frame_set
from calibration.photometry.intervals import CONFIDENCE, noise_estimates, of_mean
from calibration.photometry.static_sequence import StaticBlocks, static_blocks

FEWEST_FRAMES = 4
_FEWEST_BLOCKS = 40
_LEAST_STILL = 0.3
# Below this standard deviation in grey levels, rounding is no longer like independent noise.
_LEAST_NOISE = 0.4
_GREY = "variance over time of still blocks less 1/12 for rounding, interval between blocks"
_ELECTRONS = "photon transfer: variance against mean in linear light (Janesick 2007, EMVA 1288), robust errors"


@dataclass(frozen=True)
class _Line:
    """Variance of light = slope * light + offset, with the covariance (2, 2) of slope and offset."""

    slope: float
    offset: float
    covariance: Array


def measure_sensor_noise(frames: Frames) -> CalibrationRecord:
    """Return the noise of a sensor from frames of a scene that does not move, with fixed exposure.

    Two descriptions of the same noise are estimated; set one of them only:

    - `sensor.noise` and `sensor.grain`: grey levels of 255, alike at all brightnesses; grain is what neighbouring
      pixels share.
    - `sensor.full_well_e` and `sensor.read_noise_e`: the mean-variance line in linear light, whose slope is one over
      the electrons at full scale (Janesick 2007, Photon Transfer; EMVA 1288 release 4, section 2). It takes the
      frames for sRGB without gain. Frames whose electrons cannot be told get none, and a finding.

    `grey_misfit` and `electron_misfit` in the record's quality say how far each is from the variances by brightness
    (relative, root mean square).

    Args:
        frames: a folder of pictures, or a list of uint8 (H, W, 3) RGB, four or more.

    Raises:
        InputError: bad frames, or too few of them.
    """
    given = frame_set(frames, FEWEST_FRAMES, "an interval of the noise over time")
    blocks = static_blocks(given.pictures)
    if len(blocks.level) < _FEWEST_BLOCKS or blocks.still_share < _LEAST_STILL:
        what = (
            f"the sequence is not static: {len(blocks.level)} still, unclipped blocks of 8 x 8 pixels, "
            f"{100 * blocks.still_share:.0f} % of the unclipped ones"
        )
        finding = Finding("fault", what, "record a scene at rest with a fixed camera and fixed exposure")
        return CalibrationRecord("photometry", given.source, len(given.pictures), {}, findings=(finding,))
    white = of_mean((blocks.variance - blocks.neighbours).mean(axis=1).astype(np.float64), "1", _GREY)
    grain = of_mean(blocks.neighbours.mean(axis=1).astype(np.float64), "1", _GREY)
    estimates, hidden = noise_estimates(white, grain, _GREY)
    line = _fitted(blocks)
    electrons, findings = _electrons(line, blocks)
    quality = {
        "still_share": blocks.still_share,
        "grey_misfit": _misfit(blocks, np.full_like(blocks.level, blocks.variance.mean())),
        "electron_misfit": _misfit(blocks, (line.slope * blocks.light + line.offset) / blocks.slope_squared),
    }
    findings += hidden + (_comparison(quality) if electrons else ())
    return CalibrationRecord(
        "photometry", given.source, len(given.pictures), estimates | electrons, quality=quality, findings=findings
    )


def _fitted(blocks: StaticBlocks) -> _Line:
    """Return the line by iteratively weighted least squares with errors after White 1980, clustered by block."""
    x = np.stack([blocks.light, np.ones_like(blocks.light)], axis=-1).astype(np.float64)
    y = blocks.light_variance.astype(np.float64)
    weight = 1 / np.maximum(blocks.slope_squared.astype(np.float64), 1e-12) ** 2
    for _ in range(4):
        bread = np.linalg.inv(np.einsum("bci,bcj,bc->ij", x, x, weight))
        beta = bread @ np.einsum("bci,bc,bc->i", x, y, weight)
        predicted = x @ beta
        weight = 1 / np.maximum(predicted, 0.1 * np.median(y[y > 0]) if (y > 0).any() else 1e-12) ** 2
    score = np.einsum("bci,bc,bc->bi", x, y - x @ beta, weight)
    count = len(score)
    return _Line(float(beta[0]), float(beta[1]), bread @ score.T @ score @ bread * (count / (count - 2)))


def _electrons(line: _Line, blocks: StaticBlocks) -> tuple[dict[str, Estimate], tuple[Finding, ...]]:
    if float(np.sqrt(max(blocks.variance.mean(), 0.0))) < _LEAST_NOISE:
        what = f"electrons are not identifiable: noise is below {_LEAST_NOISE} grey levels, hidden by rounding"
        return {}, (Finding("note", what, "record with more gain, or raw frames"),)
    draws = np.random.default_rng(0).multivariate_normal((line.slope, line.offset), line.covariance, 4000)
    tail = 50 * (1 - CONFIDENCE)
    if np.percentile(draws[:, 0], tail) <= 0:
        low, high = float(blocks.light.min()), float(blocks.light.max())
        what = f"electrons are not identifiable: variance does not grow with light between {low:.2f} and {high:.2f}"
        return {}, (Finding("note", what, "use sensor.noise, or record a scene with more contrast"),)
    positive = draws[draws[:, 0] > 0]
    wells = np.percentile(1 / positive[:, 0], (tail, 100 - tail))
    reads = np.percentile(np.sqrt(np.maximum(positive[:, 1], 0)) / positive[:, 0], (tail, 100 - tail))
    well, read = 1 / line.slope, float(np.sqrt(max(line.offset, 0.0))) / line.slope
    count = len(blocks.level)
    return {
        "sensor.full_well_e": _within(well, wells, count),
        "sensor.read_noise_e": _within(read, reads, count),
    }, ()


def _within(value: float, ends: Array, count: int) -> Estimate:
    low, high = float(min(ends[0], value)), float(max(ends[1], value))
    return Estimate(value, low, high, CONFIDENCE, count, "electron", _ELECTRONS)


def _misfit(blocks: StaticBlocks, predicted: Float) -> float:
    level, variance = blocks.level.ravel(), blocks.variance.ravel()
    edges = np.quantile(level, np.linspace(0, 1, 11))
    found = []
    for low, high in itertools.pairwise(edges):
        inside = (level >= low) & (level <= high)
        if mean := float(variance[inside].mean()):
            found.append(float(predicted.ravel()[inside].mean()) / mean - 1)
    return float(np.sqrt(np.mean(np.square(found)))) if found else 0.0


def _comparison(quality: dict[str, float]) -> tuple[Finding, ...]:
    grey, electron = quality["grey_misfit"], quality["electron_misfit"]
    better = "sensor.noise and sensor.grain" if grey < electron else "sensor.full_well_e and sensor.read_noise_e"
    what = f"noise by brightness is off by {100 * grey:.0f} % as grey levels and by {100 * electron:.0f} % as electrons"
    return (Finding("note", what, f"set {better}, not both pairs"),)
