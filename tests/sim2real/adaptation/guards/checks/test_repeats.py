import numpy as np
import pytest
from numpy.typing import NDArray

from sim2real.adaptation.guards.checks.repeats import check_repeats


def scene(x: int, gain: float = 1.0, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 160, (12, 16, 3)).repeat(10, axis=0).repeat(10, axis=1).astype(np.float64)
    picture[40:50, x : x + 10] = 240
    noise = np.random.default_rng(seed).normal(0, 2, picture.shape)
    return np.clip(picture * gain + noise, 0, 255).astype(np.uint8)


def check(pictures: list[NDArray[np.uint8]], x_m: list[float], hashes: list[str] | None = None) -> list[str]:
    files = [f"{k}" for k in range(len(pictures))]
    points = np.array([[x, 0.0, 0.0] for x in x_m])
    found = check_repeats(files, hashes or [f"h{f}" for f in files], pictures, points, 0.01)
    return [f"{d.kind} {d.severity} {','.join(d.files)}" for d in found]


def test_frames_of_one_scene_are_distinct_when_something_moved() -> None:
    assert check([scene(x) for x in (10, 12, 60, 90)], [0.1, 0.12, 0.6, 0.9]) == []


def test_brightness_and_noise_make_no_other_picture() -> None:
    pictures = [scene(10), scene(50), scene(90), scene(10, 1.05, 5)]
    assert check(pictures, [0.1, 0.5, 0.9, 0.1]) == ["repeated frame warn 0,3"]


def test_the_label_may_differ_by_what_labels_are_known_to() -> None:
    pictures = [scene(10), scene(50), scene(90), scene(10)]
    assert check(pictures, [0.1, 0.5, 0.9, 0.12]) == ["repeated frame warn 0,3"]
    assert check(pictures, [0.1, 0.5, 0.9, 0.14])[0] == "contradicting labels refuse 0,3"


def test_equal_hashes_are_one_picture_and_two_groups_are_counted_apart() -> None:
    pictures = [scene(x) for x in (10, 10, 60, 60, 60)]
    assert check(pictures, [0.1, 0.1, 0.6, 0.6, 0.6]) == ["repeated frame refuse 0,1,2,3,4"]
    assert check([scene(10), scene(60)], [0.1, 0.6], ["a", "a"])[0] == "contradicting labels refuse 0,1"


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_repeat(count: int) -> None:
    assert check([scene(10)] * count, [0.1] * count) == []
