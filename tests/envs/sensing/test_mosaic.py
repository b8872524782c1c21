import numpy as np
import pytest

from calibration.optics import SensorParams
from envs.sensing import measure
from envs.sensing.mosaic import PATTERNS, demosaiced, filtered


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("rgb", [(200, 90, 20), (3, 250, 130), (0, 0, 0), (255, 255, 255)])
def test_a_flat_picture_is_unchanged(pattern: str, rgb: tuple[int, int, int]) -> None:
    flat = np.tile(np.array(rgb, np.uint8), (40, 60, 1))
    np.testing.assert_array_equal(measure(flat, SensorParams(bayer=pattern), 0), flat)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pixels_see_the_colours_of_the_pattern(pattern: str) -> None:
    rgb = np.tile(np.array([1.0, 2.0, 3.0], np.float32), (5, 6, 1))
    raw = filtered(rgb, pattern)
    names = np.array(list(pattern)).reshape(2, 2)
    for row in range(5):
        for column in range(6):
            assert raw[row, column] == 1 + "rgb".index(names[row % 2, column % 2])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_a_pixel_saw_stays_and_the_rest_is_between_its_neighbours(pattern: str) -> None:
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 65536, (20, 30, 3)).astype(np.float32)
    raw = filtered(rgb, pattern)
    out = demosaiced(raw.astype(np.uint16), pattern)
    for k, name in enumerate(pattern):
        own = out[k // 2 :: 2, k % 2 :: 2, "rgb".index(name)][1:-1, 1:-1]
        np.testing.assert_array_equal(own, raw[k // 2 :: 2, k % 2 :: 2][1:-1, 1:-1])
        if name == "r":
            row, column = 4 + k // 2, 4 + k % 2
    between = (raw[row, column].astype(float) + raw[row, column + 2]) / 2
    assert abs(float(out[row, column + 1, 0]) - between) <= 1


def test_an_edge_gets_coloured() -> None:
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, 21:] = 255
    out = measure(picture, SensorParams(bayer="rggb"), 0).astype(int)
    assert np.ptp(out[10:30, 18:24], axis=2).max() > 60
    assert np.ptp(out[10:30, :18], axis=2).max() == 0


def test_noise_is_counted_before_colours_are_interpolated() -> None:
    grey = np.full((120, 160, 3), 128, np.uint8)
    own = measure(grey, SensorParams(full_well_e=1000.0), 0).astype(float)
    mixed = measure(grey, SensorParams(full_well_e=1000.0, bayer="rggb"), 0).astype(float)
    assert abs(np.corrcoef(own[:, :-1, 0].ravel(), own[:, 1:, 0].ravel())[0, 1]) < 0.05
    assert np.corrcoef(mixed[:, :-1, 0].ravel(), mixed[:, 1:, 0].ravel())[0, 1] > 0.4
