"""Nearest neighbours against a search by hand."""

from typing import Any

import numpy as np
import pytest

from calibration.rig_file import load_rig
from sim2real.gap.perception.neighbours import neighbours
from sim2real.gap.perception.worst import worst_frames
from sim2real.realdata import RealFrame


def by_hand(simulated: Any, real: Any, asked: list[int]) -> tuple[float, list[tuple[int, float, int, float]]]:
    """The same by loops over standardized features."""
    mean, spread = simulated.mean(axis=0), simulated.std(axis=0)
    a, b = (simulated - mean) / spread, (real - mean) / spread
    nearest = [min(np.linalg.norm(a[i] - a[j]) for j in range(len(a)) if j != i) for i in range(len(a))]
    null = float(np.median(nearest))
    found = []
    for i in asked:
        to_sim = [float(np.linalg.norm(b[i] - a[j])) for j in range(len(a))]
        to_real = [float(np.linalg.norm(b[i] - b[j])) if j != i else np.inf for j in range(len(b))]
        j, k = int(np.argmin(to_sim)), int(np.argmin(to_real))
        found.append((j, to_sim[j] / null, k, to_real[k] / null))
    return null, found


def test_neighbours_are_those_of_a_search_by_hand() -> None:
    rng = np.random.default_rng(0)
    # Columns of very different scale: without standardizing, the first would decide alone.
    simulated, real = rng.normal(0, [100, 1, 1], (30, 3)), rng.normal(1, [100, 1, 1], (12, 3))
    asked = [4, 0, 11]
    null, expected = by_hand(simulated, real, asked)
    found = neighbours(simulated, real, asked)
    assert found.null == pytest.approx(null)
    assert [n.photograph for n in found.found] == asked
    for n, (j, to_sim, k, to_real) in zip(found.found, expected, strict=True):
        assert (n.simulated, n.real) == (j, k)
        assert (n.simulated_distance, n.real_distance) == pytest.approx((to_sim, to_real))


def test_the_unit_does_not_depend_on_scale_or_on_a_channel_that_never_varies() -> None:
    rng = np.random.default_rng(1)
    simulated, real = rng.normal(size=(20, 4)), rng.normal(size=(6, 4))
    plain = neighbours(simulated, real, [2]).found[0]
    constant = np.concatenate([7 * simulated + 3, np.full((20, 1), 2.0)], axis=1)
    other = np.concatenate([7 * real + 3, np.full((6, 1), 5.0)], axis=1)
    scaled = neighbours(constant, other, [2]).found[0]
    assert (scaled.simulated, scaled.real) == (plain.simulated, plain.real)
    assert scaled.simulated_distance == pytest.approx(plain.simulated_distance)
    # A photograph that simulation drew is nearer than simulated frames are to each other; one far away is not.
    assert neighbours(simulated, simulated[:3], [1]).found[0].simulated_distance == pytest.approx(0.0, abs=1e-6)
    assert neighbours(simulated, real + 50, [1]).found[0].simulated_distance > 10


def test_what_cannot_be_searched() -> None:
    one = np.arange(6.0).reshape(3, 2)
    assert neighbours(one, one[:1] + 0.1, [0]).found[0].real is None
    with pytest.raises(ValueError, match="same columns, got 2 and 1"):
        neighbours(one, one[:, :1], [0])
    with pytest.raises(ValueError, match="indices below 3"):
        neighbours(one, one, [3])
    # Of a network that sees nothing, nothing is near or far.
    blind = neighbours(np.ones((4, 2)), one, [0])
    assert (blind.null, blind.found[0].simulated_distance) == (0.0, 0.0)


def test_the_worst_scored_frames_come_first_and_neighbours_may_be_frames_that_are_not_scored() -> None:
    rig = load_rig("cube_on_table")
    picture, point = np.zeros((4, 4, 3), np.uint8), np.zeros(3)
    frames = [
        RealFrame(f"{k}.jpg", str(k), picture, point, None, np.zeros((len(rig.keypoints), 3)), "full", "", None)
        for k in range(10)
    ]
    errors = {f"{k}.jpg": 0.01 * k for k in range(8)} | {"3.jpg": float("nan")}
    rng = np.random.default_rng(2)
    photographs = rng.normal(size=(10, 5))
    photographs[9] = photographs[7] + 1e-3
    found = worst_frames("layer3", rng.normal(size=(20, 5)), photographs, frames, errors)
    assert [f["file"] for f in found["frames"]] == ["3.jpg", "7.jpg", "6.jpg", "5.jpg", "4.jpg", "2.jpg"]
    assert found["frames"][0]["error"] is None
    assert (found["frames"][1]["real"], found["frames"][1]["real_error"]) == ("9.jpg", None)
    assert found["stage"] == "layer3"
