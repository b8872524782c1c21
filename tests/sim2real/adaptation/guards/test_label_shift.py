"""Labels that are distributed otherwise are noticed; other looks are not taken for them, nor is chance."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import binom, ks_2samp

from calibration.rig_file import load_rig
from sim2real.adaptation.guards.label_shift import check_label_shift, label_shift
from sim2real.presets import load_preset, rig_spec

Array = NDArray[np.float64]


def places(count: int, rng: np.random.Generator) -> Array:
    """Return keypoints (count, 2) of a target that may be anywhere in a picture of 160 x 120."""
    return rng.uniform((0, 0), (160, 120), (count, 2))


def checked(simulated: Array, before: Array, after: Array | None = None) -> Any:
    found = label_shift(simulated, before, before if after is None else after, ("across", "down"))
    assert found is not None
    return found


def test_the_distance_is_that_of_scipy_with_equal_values_and_without() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=(50, 3)), rng.integers(4, size=(50, 3)).astype(float)):
        source, target = values[:30], values[30:] * [1.0, 1.0, 2.0]
        by_hand = [ks_2samp(a, b).statistic for a, b in zip(source.T, target.T, strict=True)]
        found = label_shift(source, target, target)
        assert found is not None
        assert found.distance == pytest.approx(max(by_hand))
        assert found.where == f"coordinate {np.argmax(by_hand)}"


def test_one_coordinate_has_the_p_value_of_the_exact_test() -> None:
    rng = np.random.default_rng(1)
    source, target = rng.normal(size=(40, 1)), rng.normal(0.45, 1.0, size=(25, 1))
    exact = ks_2samp(source[:, 0], target[:, 0], method="exact").pvalue
    assert checked(source, target).p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 999))


def test_without_a_shift_it_warns_no_more_often_than_it_says() -> None:
    # Two coordinates that are the same, as those of keypoints on one stick nearly are, and one of their own.
    rng = np.random.default_rng(2)
    p_values = []
    for _ in range(300):
        simulated, before = (places(n, rng)[:, [0, 0, 1]] for n in (64, 24))
        found = label_shift(simulated, before, before)
        assert found is not None
        p_values.append(found.p_value)
    for rate in (0.01, 0.05, 0.2):
        assert np.sum(np.array(p_values) <= rate) <= binom.ppf(0.999, 300, rate)
    # Nor is it blind: without the second model's say the rate is the stated one.
    assert np.sum(np.array(p_values) <= 0.2) >= binom.ppf(0.001, 300, 0.2)


@pytest.mark.parametrize("count", [8, 20, 48])
def test_labels_at_one_side_are_found_and_told(count: int) -> None:
    rng = np.random.default_rng(count)
    simulated, before = places(128, rng), places(count, rng) * [0.3, 1.0]
    found = checked(simulated, before, before + rng.normal(0, 2, before.shape))
    assert found.found
    assert found.where == "across"
    assert found.photographs[1] < 48 < found.simulated[1]
    text = str(found)
    assert "predicted labels are distributed otherwise than in simulation: across has its median at" in text
    assert "no check without labels can see" in text
    assert "sim2real gap" in text


def test_other_looks_that_confuse_one_of_the_models_are_not_taken_for_it() -> None:
    rng = np.random.default_rng(3)
    simulated, truth = places(128, rng), places(48, rng)
    confused = np.full((48, 2), (150.0, 8.0)) + rng.normal(0, 1, (48, 2))
    for before, after in ((confused, truth), (truth, confused)):
        found = checked(simulated, before, after)
        assert not found.found
        assert "distributed as in simulation, as far as can be told" in str(found)
    assert checked(simulated, confused, confused).found


def test_frames_without_a_prediction_do_not_count_and_too_few_give_no_test() -> None:
    rng = np.random.default_rng(4)
    simulated, before = places(60, rng), places(20, rng)
    holed = np.concatenate([before, np.full((3, 2), np.nan)])
    assert checked(simulated, holed).distance == checked(simulated, before).distance
    assert label_shift(simulated, before[:4], before[:4]) is None
    assert label_shift(simulated, np.concatenate([before[:4], np.full((9, 2), np.nan)]), before) is None


def test_the_order_of_frames_hardly_counts_and_the_seed_decides() -> None:
    rng = np.random.default_rng(5)
    simulated, before = places(60, rng), places(20, rng) * 0.85
    found = checked(simulated, before)
    assert checked(simulated, before) == found
    assert checked(simulated[::-1], before[::-1]).distance == found.distance
    assert abs(checked(simulated[::-1], before[::-1]).p_value - found.p_value) < 0.06


class Follows:
    """A model that finds the brightest column and row of a picture."""

    def predict(self, pictures: Any, device: torch.device) -> Any:
        grey = np.asarray(pictures, np.float64).min(axis=3)
        at = [np.unravel_index(np.argmax(g), g.shape) for g in grey]
        return SimpleNamespace(keypoints_px=np.array([[[x, y]] for y, x in at], float))


def test_it_compares_with_frames_of_the_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim2real.adaptation.guards import label_shift as module
    from sim2real.stream import SimulatedFrames

    monkeypatch.setattr(module, "_SIMULATED", 48)
    rig = load_rig("cube_on_table")
    spec = rig_spec(rig, load_preset("geometry"))
    stream = SimulatedFrames(rig, spec, 1)
    frames = stream.draw(range(60))
    stream.close()
    model: Any = Follows()
    cpu = torch.device("cpu")
    same = check_label_shift(model, model, rig, spec, frames.rgb[:30], cpu)
    assert same is not None
    assert not same.found
    kept = np.argsort(frames.keypoints_px[:, 0, 0])[:15]
    left = check_label_shift(model, model, rig, spec, frames.rgb[kept], cpu)
    assert left is not None
    assert left.found
    assert left.where == "'cube centre' across"
