import numpy as np
import pytest

from sim2real.advice.transferability.probes import PROBES, left_out_errors


@pytest.fixture
def draw():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(24, 3))
    return features, features @ rng.normal(size=(3, 2)) + 0.5, [str(k // 4) for k in range(24)]


def test_least_squares_predicts_a_left_out_group_of_a_linear_label_exactly(draw) -> None:
    np.testing.assert_allclose(left_out_errors("least squares", *draw), 0.0, atol=1e-9)


def test_nearest_frames_by_hand_and_none_of_the_own_group(draw) -> None:
    features, labels, groups = draw
    found = left_out_errors("nearest", features, labels, groups)
    for k in range(24):
        others = [j for j in range(24) if groups[j] != groups[k]]
        near = sorted(others, key=lambda j: float(((features[j] - features[k]) ** 2).sum()))[:3]
        assert found[k] == pytest.approx(float(np.linalg.norm(labels[near].mean(axis=0) - labels[k])))


@pytest.mark.parametrize("name", PROBES)
def test_without_groups_each_frame_is_left_out_alone(name: str, draw) -> None:
    features, labels, _ = draw
    alone = left_out_errors(name, features, labels)
    np.testing.assert_allclose(left_out_errors(name, features, labels, list(range(24))), alone)
    moved = labels.copy()
    moved[5] += 10.0
    # Its own label does not reach its own prediction.
    before, after = (left_out_errors(name, features, y)[5] for y in (labels, moved))
    assert after == pytest.approx(before + 10.0 * 2**0.5, abs=2 * before + 1e-6)


def test_one_group_is_refused(draw) -> None:
    with pytest.raises(ValueError, match="a probe needs 2 or more groups of frames, got 1"):
        left_out_errors("nearest", draw[0], draw[1], ["a"] * 24)
