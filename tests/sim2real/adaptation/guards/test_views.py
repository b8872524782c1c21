import cv2
import numpy as np
from numpy.typing import NDArray

from sim2real.adaptation.guards.views import view_disagreement


def blobs() -> NDArray[np.uint8]:
    pictures = np.zeros((3, 120, 160, 3), np.uint8)
    for picture, x, y in zip(pictures, (40, 80, 120), (30, 60, 90), strict=True):
        cv2.circle(picture, (x, y), 8, (200, 200, 200), -1)
    return pictures


def centroid(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    grey = pictures.astype(np.float64).mean(axis=3)
    total = grey.sum(axis=(1, 2))
    x = (grey.sum(axis=1) * np.arange(grey.shape[2])).sum(axis=1) / total
    y = (grey.sum(axis=2) * np.arange(grey.shape[1])).sum(axis=1) / total
    return np.stack([x, y], axis=-1)[:, None]


def test_who_follows_the_picture_is_steady() -> None:
    assert (view_disagreement(centroid, blobs()) < 0.1).all()


def test_who_says_always_the_same_is_not() -> None:
    stuck = view_disagreement(lambda p: np.full((len(p), 1, 2), 30.0), blobs())
    # Shifts move the picture by 3 % of its width and more, light moves nothing: the median lies between.
    assert (stuck > 1.0).all()


def test_a_guess_is_far_less_steady_and_no_picture_has_no_answer() -> None:
    rng = np.random.default_rng(0)
    assert (view_disagreement(lambda p: rng.uniform(0, 120, (len(p), 2, 2)), blobs()) > 10).all()
    assert view_disagreement(centroid, blobs()[:0]).shape == (0,)
