import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.errors import InputError
from sim2real.adaptation.image_level.colour import match_colour_statistics, match_white_balance
from sim2real.adaptation.image_level.fourier import low_frequencies, swap_low_frequencies
from sim2real.adaptation.image_level.histogram import match_histograms
from sim2real.adaptation.image_level.picture_map import Style, ToReferences, through

Picture = NDArray[np.uint8]
STYLES = [match_colour_statistics, match_white_balance, match_histograms, swap_low_frequencies]


def smooth(seed: int, low: int = 60, high: int = 190) -> Picture:
    """A picture without extreme colours, so that nothing clips."""
    coarse = np.random.default_rng(seed).uniform(low, high, (6, 8, 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (64, 48), interpolation=cv2.INTER_CUBIC)).clip(30, 220).astype(np.uint8)


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_in_its_own_looks_is_itself(style: Style) -> None:
    picture = smooth(0)
    np.testing.assert_allclose(style(picture, picture).astype(int), picture.astype(int), atol=1)


def test_mean_and_spread_in_lab_become_the_references() -> None:
    picture, reference = smooth(1), smooth(2, 90, 160)
    changed = match_colour_statistics(picture, reference)
    lab = [cv2.cvtColor(p.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for p in (changed, reference)]
    np.testing.assert_allclose(lab[0].mean(axis=(0, 1)), lab[1].mean(axis=(0, 1)), atol=0.3)
    np.testing.assert_allclose(lab[0].std(axis=(0, 1)), lab[1].std(axis=(0, 1)), atol=0.3)


def test_a_flat_picture_takes_the_references_mean() -> None:
    changed = match_colour_statistics(np.full((8, 8, 3), 90, np.uint8), smooth(2))
    assert np.ptp(changed.reshape(-1, 3), axis=0).max() == 0
    lab = [cv2.cvtColor(p.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).mean(axis=(0, 1)) for p in (changed, smooth(2))]
    np.testing.assert_allclose(lab[0], lab[1], atol=0.8)  # one grey level


def test_white_balance_undoes_a_tint_and_keeps_the_brightness() -> None:
    reference = smooth(3)
    light = (reference / 255.0) ** 2.2
    tinted = np.rint((light * np.array([0.7, 1.0, 1.2])).clip(0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
    changed = match_white_balance(tinted, reference)
    # A tint scales each channel's light; what is left is a common factor.
    ratio = ((changed / 255.0) ** 2.2).mean(axis=(0, 1)) / light.mean(axis=(0, 1))
    assert np.ptp(ratio) < 0.02


def test_white_balance_to_a_black_photograph_changes_nothing() -> None:
    np.testing.assert_array_equal(match_white_balance(smooth(1), np.zeros((48, 64, 3), np.uint8)), smooth(1))


def test_histograms_become_the_references() -> None:
    rng = np.random.default_rng(4)
    picture, reference = (rng.integers(0, 255, (60, 80, 3), np.uint8) for _ in range(2))
    reference = (reference // 2 + 40).astype(np.uint8)
    changed = match_histograms(picture, reference)
    for c in range(3):
        for q in (5, 25, 50, 75, 95):
            assert abs(np.percentile(changed[..., c], q) - np.percentile(reference[..., c], q)) <= 1.5


def test_histogram_matching_keeps_the_order_of_values() -> None:
    picture, reference = smooth(5), smooth(6)
    changed = match_histograms(picture, reference)
    order = np.argsort(picture[..., 0].ravel(), kind="stable")
    assert (np.diff(changed[..., 0].ravel()[order].astype(int)) >= 0).all()


def test_histogram_matching_agrees_with_a_sort_when_all_values_differ() -> None:
    rng = np.random.default_rng(7)
    picture = rng.permutation(256).astype(np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    reference = rng.permutation(256).astype(np.uint8).reshape(16, 16, 1).repeat(3, axis=2) // 2
    changed = match_histograms(picture, reference)
    expected = np.empty(256, np.uint8)
    expected[np.argsort(picture[..., 0].ravel())] = np.sort(reference[..., 0].ravel())
    np.testing.assert_allclose(changed[..., 0].ravel().astype(int), expected.astype(int), atol=1)


def test_the_exchanged_square_is_the_papers() -> None:
    mask = np.fft.fftshift(low_frequencies(48, 64, 0.1))
    half = int(0.1 * 48)
    expected = np.zeros((48, 64), bool)
    expected[24 - half : 24 + half + 1, 32 - half : 32 + half + 1] = True
    np.testing.assert_array_equal(mask, expected)


def test_a_fourier_swap_keeps_phase_and_high_frequencies() -> None:
    picture, reference = smooth(8, 100, 150), smooth(9, 100, 150)
    changed = swap_low_frequencies(picture, reference, 0.05)
    spectra = [np.fft.fft2(p[..., 1].astype(float)) for p in (picture, reference, changed)]
    low = low_frequencies(48, 64, 0.05)
    strong = np.abs(spectra[1]) > 500
    np.testing.assert_allclose(np.abs(spectra[2])[low & strong], np.abs(spectra[1])[low & strong], rtol=0.1)
    high = ~low & (np.abs(spectra[0]) > 500)
    np.testing.assert_allclose(spectra[2][high], spectra[0][high], rtol=0.15)


def test_with_the_smallest_square_only_the_mean_changes() -> None:
    picture, reference = smooth(10, 100, 150), smooth(11, 100, 150)
    changed = swap_low_frequencies(picture, reference, 0.0).astype(float) - picture
    np.testing.assert_allclose(
        changed.mean(axis=(0, 1)), (reference.astype(float) - picture).mean(axis=(0, 1)), atol=0.6
    )
    assert changed.std(axis=(0, 1)).max() < 0.6


@pytest.mark.parametrize(("beta", "size"), [(0.6, 48), (-0.1, 48), (0.1, 40)])
def test_a_fourier_swap_that_cannot_be(beta: float, size: int) -> None:
    with pytest.raises(ValueError, match="must"):
        swap_low_frequencies(smooth(0)[:size], smooth(1), beta)


def test_each_picture_gets_some_photographs_looks_and_the_draw_is_by_seed() -> None:
    pictures, references = np.stack([smooth(k) for k in range(4)]), np.stack([smooth(k, 120, 150) for k in (20, 21)])
    to = ToReferences(match_histograms, references)
    before = pictures.copy()
    changed = to(pictures, np.random.default_rng(1))
    np.testing.assert_array_equal(pictures, before)
    np.testing.assert_array_equal(changed, to(pictures, np.random.default_rng(1)))
    both = [np.stack([match_histograms(p, r) for p in pictures]) for r in references]
    for k in range(4):
        assert any(np.array_equal(changed[k], b[k]) for b in both)


def test_a_share_of_the_pictures_stays() -> None:
    pictures, references = np.stack([smooth(k) for k in range(200)]), smooth(20, 120, 150)[None]
    changed = ToReferences(match_histograms, references, 0.25)(pictures, np.random.default_rng(2))
    share = np.mean([not np.array_equal(a, b) for a, b in zip(pictures, changed, strict=True)])
    assert 0.25 - 0.1 < share < 0.25 + 0.1


def test_maps_go_in_order() -> None:
    maps = [lambda p, _: p + np.uint8(1), lambda p, _: p * np.uint8(2)]
    assert through(maps, np.full((1, 2, 2, 3), 3, np.uint8), np.random.default_rng(0)).max() == 8


def test_without_photographs_there_is_nothing_to_match() -> None:
    with pytest.raises(InputError, match="needs at least 1 photograph"):
        ToReferences(match_histograms, np.zeros((0, 4, 4, 3), np.uint8))
