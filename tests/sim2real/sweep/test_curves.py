import numpy as np
import pytest

from sim2real.sweep.curves import Curve, efficiency, labels_needed


def curve(means: dict[int, float], spread: float = 0.0, seed: int = 0) -> Curve:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, spread, (5, 20))
    return Curve.of({b: m + noise for b, m in means.items()})


def test_labels_are_found_between_budgets_on_a_logarithmic_scale() -> None:
    budgets, means = (2, 8, 32), np.array([4.0, 2.0, 1.0])
    assert labels_needed(budgets, means, 4.0) == 2
    assert labels_needed(budgets, means, 3.0) == pytest.approx(4.0)
    assert labels_needed(budgets, means, 1.5) == pytest.approx(16.0)
    assert labels_needed(budgets, means, 1.0) == pytest.approx(32.0)
    assert labels_needed(budgets, means, 0.9) == np.inf


def test_a_curve_that_is_eight_frames_ahead_says_so() -> None:
    said = efficiency(curve({5: 1.0, 10: 0.8}), curve({5: 4.0, 10: 3.0, 40: 1.0, 80: 0.8}))
    assert said["label_efficiency"]["5"]["value"] == pytest.approx(8.0)
    assert said["label_efficiency"]["10"]["value"] == pytest.approx(8.0)
    assert said["label_efficiency"]["5"]["reached_share"] == 1.0
    assert said["higher_start"] == {"budget": 5, "value": pytest.approx(3.0), "interval": pytest.approx([3.0, 3.0])}
    assert said["asymptote"]["budget"] == 10
    assert said["slope"]["value"] == pytest.approx(0.8)


def test_where_scratch_never_gets_there_nothing_is_invented() -> None:
    said = efficiency(curve({0: 2.0, 10: 0.5}), curve({10: 3.0, 20: 1.0}))
    assert said["label_efficiency"]["10"] == {"value": None, "low": None, "reached_share": 0.0}
    assert "slope" not in said


def test_equal_curves_are_worth_the_same() -> None:
    one = curve({5: 2.0, 10: 1.0, 20: 0.5}, spread=0.3)
    said = efficiency(one, one)
    assert said["higher_start"]["value"] == 0.0
    assert all(v["value"] == pytest.approx(1.0) for v in said["label_efficiency"].values())
    assert said["slope"]["interval"][0] < said["slope"]["value"] < said["slope"]["interval"][1]


def test_without_common_budgets_there_is_nothing_to_say() -> None:
    assert efficiency(curve({5: 1.0}), curve({10: 1.0})) == {}
