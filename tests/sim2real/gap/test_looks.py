"""Distances of features on the page, beside what chance gives."""

import numpy as np
import pytest

from sim2real.advice.distances.frechet import fid
from sim2real.advice.stages import Answers, StageFeatures
from sim2real.gap.looks import fixed_gap, stage_gaps


def answers(*stages: np.ndarray) -> Answers:
    n = len(stages[0])
    return Answers(tuple(StageFeatures(s, np.zeros((n, 2))) for s in stages), np.ones(n), np.zeros((n, 1, 2)))


def test_each_stage_is_measured_apart_and_beside_its_null() -> None:
    rng = np.random.default_rng(0)
    simulated = answers(rng.normal(size=(60, 4)), rng.normal(size=(60, 6)))
    real = answers(rng.normal(size=(20, 4)), rng.normal(1.5, 1.0, (20, 6)))
    same, apart = stage_gaps(["layer1", "layer2"], simulated, real)
    assert (same["features"], apart["features"]) == ("stage layer1", "stage layer2")
    assert (same["dimensions"], apart["dimensions"]) == (4, 6)
    assert not same["beyond_chance"]
    assert apart["beyond_chance"]
    assert apart["ratio_to_null"] > 5 * max(same["ratio_to_null"], 1.0)
    assert apart["kid"]["value"] > apart["kid"]["null"]["high"]
    assert apart["a_distance"]["value"] > apart["a_distance"]["null"]["high"]
    ours = simulated.stages[1].pooled
    assert apart["fid_null"]["value"] == pytest.approx(fid(ours[:30], ours[30:]).value)
    # Without a difference the Frechet distance is above 0 all the same, and says why.
    assert same["fid"]["value"] > 0
    assert same["fid"]["warning"] == "biased upwards: 20 frames for 4 features, 40 or more are needed"


def test_pictures_are_also_measured_in_filters_that_no_model_has_a_part_in() -> None:
    rng = np.random.default_rng(1)
    dark = rng.integers(0, 60, (24, 48, 64, 3), np.uint8)
    bright = rng.integers(120, 255, (8, 48, 64, 3), np.uint8)
    assert fixed_gap(dark, bright)["beyond_chance"]
    same = fixed_gap(dark, rng.integers(0, 60, (8, 48, 64, 3), np.uint8))
    assert same["features"] == "fixed filters"
    assert not same["beyond_chance"]
