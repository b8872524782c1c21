import cv2
import numpy as np
import pytest

from envs.sensing.compression import compress

RNG = np.random.default_rng(0)


def opencv(rgb: np.ndarray, quality: int) -> np.ndarray:
    """Return what libjpeg makes of it."""
    coded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def ours(rgb: np.ndarray, quality: float) -> np.ndarray:
    planes = np.ascontiguousarray(rgb.transpose(2, 0, 1))
    compress(planes, quality)
    return planes.transpose(1, 2, 0)


def picture(height: int, width: int, kind: str) -> np.ndarray:
    noise = RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)
    if kind == "noise":
        return noise
    if kind == "extremes":
        return (noise // 128 * 255).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 3.0))


@pytest.mark.parametrize("kind", ["noise", "extremes", "smooth"])
@pytest.mark.parametrize(
    ("height", "width"),
    [
        (120, 160),
        (84, 84),
        (1, 1),
        (2, 3),
        (5, 4),
        (7, 5),
        (16, 16),
        (17, 33),
        (31, 95),
        (40, 256),
        (23, 263),
        (9, 600),
    ],
)
def test_it_is_what_libjpeg_makes_of_the_picture(height: int, width: int, kind: str) -> None:
    rgb = picture(height, width, kind)
    for quality in (1, 10, 49, 50, 75, 90, 99):
        np.testing.assert_array_equal(ours(rgb, quality), opencv(rgb, quality), err_msg=f"quality {quality}")


def test_every_quality() -> None:
    rgb = picture(24, 40, "noise")
    for quality in range(1, 100):
        np.testing.assert_array_equal(ours(rgb, quality), opencv(rgb, quality), err_msg=f"quality {quality}")


def test_quality_is_rounded_and_100_is_no_compression() -> None:
    rgb = picture(24, 40, "noise")
    np.testing.assert_array_equal(ours(rgb, 74.6), opencv(rgb, 75))
    np.testing.assert_array_equal(ours(rgb, -3.0), opencv(rgb, 1))
    np.testing.assert_array_equal(ours(rgb, 100.0), rgb)
