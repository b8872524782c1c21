"""Colour faults are found, what a camera does by itself is not called a fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.rig_file import load_rig
from sim2real.quality import colour_faults
from sim2real.unlabelled import load_photographs

Picture = NDArray[np.uint8]


def station(frame: int) -> Picture:
    """Return a table with a red box that moves, under light that changes a little from frame to frame."""
    rng = np.random.default_rng(frame)
    pixels = np.full((120, 160, 3), (150, 130, 100), np.float64)
    pixels[:40] = (90, 100, 120)
    x, y = rng.integers(0, 140), rng.integers(45, 100)
    pixels[y : y + 15, x : x + 15] = (200, 40, 30)
    pixels *= rng.uniform(0.97, 1.03)
    return np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)


def recording(count: int = 20) -> list[Picture]:
    return [station(k) for k in range(count)]


def tint(*factors: float) -> Callable[[Picture], Picture]:
    return lambda p: np.clip(p * np.array(factors), 0, 255).astype(np.uint8)


def lab_shift(a: float, b: float) -> Callable[[Picture], Picture]:
    def shift(picture: Picture) -> Picture:
        lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        rgb = cv2.cvtColor(lab + np.array([0, a, b], np.float32), cv2.COLOR_LAB2RGB)
        return np.clip(rgb * 255 + 0.5, 0, 255).astype(np.uint8)

    return shift


def found(pictures: list[Picture]) -> list[int]:
    return [k for k, fault in enumerate(colour_faults(pictures)) if fault is not None]


CASTS: dict[str, Callable[[Picture], Picture]] = {
    "red and blue swapped": lambda p: p[..., ::-1].copy(),
    "red and green swapped": lambda p: p[..., [1, 0, 2]].copy(),
    "green": tint(0.7, 1.0, 0.7),
    "magenta": tint(1.1, 0.7, 1.1),
    "blue missing": tint(1.0, 1.0, 0.0),
    "grey": lambda p: np.repeat(p[..., 1:2], 3, axis=2),
    "ten Lab units": lab_shift(6.0, -8.0),
}


@pytest.mark.parametrize("name", CASTS)
def test_casts_are_found(name: str) -> None:
    pictures = recording()
    pictures[7] = CASTS[name](pictures[7])
    assert found(pictures) == [7]


@pytest.mark.parametrize("name", ["red and blue swapped", "green", "ten Lab units"])
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_faulty_frames_do_not_hide_each_other(name: str, share: float) -> None:
    pictures = recording(20)
    bad = sorted(np.random.default_rng(3).permutation(20)[: round(20 * share)].tolist())
    for k in bad:
        pictures[k] = CASTS[name](pictures[k])
    assert found(pictures) == bad


def test_plain_recording_has_no_faults() -> None:
    assert found(recording()) == []


@pytest.mark.parametrize("seed", range(5))
def test_exposure_and_white_balance_drift_are_no_faults(seed: int) -> None:
    rng = np.random.default_rng([seed, 1])
    pictures = []
    for picture in recording():
        angle = rng.uniform(0, 2 * np.pi)
        drifted = lab_shift(2 * np.cos(angle), 2 * np.sin(angle))(picture)
        pictures.append(tint(*[rng.uniform(0.8, 1.2)] * 3)(drifted))
    assert found(pictures) == []


def test_one_frame_of_two_lab_units_is_no_fault() -> None:
    pictures = recording()
    pictures[3] = lab_shift(1.4, 1.4)(pictures[3])
    assert found(pictures) == []


def test_dark_and_bright_frames_are_no_faults() -> None:
    pictures = recording()
    pictures[2] = tint(0.7, 0.7, 0.7)(pictures[2])
    pictures[5] = tint(1.25, 1.25, 1.25)(pictures[5])
    assert found(pictures) == []


def test_fewer_than_five_frames_are_not_judged() -> None:
    pictures = recording(5)
    pictures[1] = CASTS["red and blue swapped"](pictures[1])
    assert colour_faults(pictures[:4]) == [None] * 4
    assert found(pictures) == [1]
    assert colour_faults([]) == []


def test_identical_frames_have_no_faults() -> None:
    assert found([station(0)] * 8) == []


def test_message_gives_shift_and_limit() -> None:
    pictures = recording()
    pictures[0] = lab_shift(10.0, -5.0)(pictures[0])
    fault = colour_faults(pictures)[0]
    assert fault is not None
    # The random position of the box and the light add less than a unit.
    shift = [float(v) for v in fault.partition("(")[2].partition(")")[0].split(",")]
    np.testing.assert_allclose(shift, [10.0, -5.0], atol=1.0)
    assert "colour cast" in fault
    assert "limit 3.5" in fault


@pytest.mark.real
@pytest.mark.parametrize(
    ("folder", "rig", "faults"),
    [("cube_on_table/images", "cube_on_table", []), ("dvrk_psm_tool/rgb", "psm_tool", [1])],
)
def test_photographs(folder: str, rig: str, faults: list[int], real_data: Path) -> None:
    photographs = load_photographs(real_data / folder, load_rig(rig))
    assert found([p.picture for p in photographs]) == faults
    assert [k for k, p in enumerate(photographs) if p.fault is not None] == faults
