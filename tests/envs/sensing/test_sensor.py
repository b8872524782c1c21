import math
from dataclasses import fields

import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.optics import LensParams, SensorParams
from envs.sensing import measure, measure_through

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 200, (48, 64, 3)).astype(np.uint8)


def flat(*rgb: int) -> np.ndarray:
    return np.tile(np.array(rgb, np.uint8), (40, 60, 1))


def test_a_neutral_sensor_changes_nothing() -> None:
    np.testing.assert_array_equal(measure(PICTURE, SensorParams(), 0), PICTURE)


# A swap of channels, undone here, makes the whole chain run with every other effect off.
NEUTRAL = [f.name for f in fields(SensorParams) if f.name != "channels"]


def test_the_chain_with_every_effect_off_is_the_identity() -> None:
    np.testing.assert_array_equal(measure(PICTURE, SensorParams(channels="bgr"), 0)[..., ::-1], PICTURE)


CHANGES: dict[str, object] = {
    "exposure_ev": 0.3,
    "white_balance": (1.0, 0.9, 1.1),
    "saturation": 0.6,
    "hue_rad": 0.3,
    "gamma": 1.2,
    "contrast": 0.8,
    "haze": 0.1,
    "shading": 0.1,
    "vignetting": 0.3,
    "blur_px": 0.8,
    "noise": 3.0,
    "grain": 3.0,
    "jpeg_quality": 60.0,
    "channels": "bgr",
    "auto_exposure": 0.7,
    "auto_white_balance": 1.0,
    "shoulder": 1.0,
    "full_well_e": 500.0,
    "read_noise_e": 30.0,
    "bayer": "rggb",
}
# Read noise is added to counted electrons, so it needs a sensor that counts them.
NEEDS: dict[str, dict[str, object]] = {"read_noise_e": {"full_well_e": 1000.0}}
RANDOM = ("shading", "noise", "grain", "full_well_e", "read_noise_e")


def with_effect(name: str) -> SensorParams:
    return SensorParams(**{name: CHANGES[name], **NEEDS.get(name, {})})


@pytest.mark.parametrize("name", CHANGES)
def test_an_effect_changes_the_picture_and_leaves_what_came_in(name: str) -> None:
    before = PICTURE.copy()
    out = measure(PICTURE, with_effect(name), 1)
    assert (out != measure(PICTURE, SensorParams(**NEEDS.get(name, {})), 1)).mean() > 0.2
    assert out.shape == PICTURE.shape
    assert out.dtype == np.uint8
    np.testing.assert_array_equal(PICTURE, before)
    np.testing.assert_array_equal(measure(PICTURE, with_effect(name), 1), out)


def test_every_effect_is_listed_here() -> None:
    assert set(CHANGES) == {f.name for f in fields(SensorParams)}


@pytest.mark.parametrize("name", RANDOM)
def test_chance_comes_from_the_seed(name: str) -> None:
    sensor = with_effect(name)
    assert (measure(PICTURE, sensor, 1) != measure(PICTURE, sensor, 2)).any()


@pytest.mark.parametrize("name", sorted(set(CHANGES) - set(RANDOM)))
def test_without_noise_the_seed_does_not_matter(name: str) -> None:
    sensor = SensorParams(**{name: CHANGES[name]})
    np.testing.assert_array_equal(measure(PICTURE, sensor, 1), measure(PICTURE, sensor, 2))


def test_one_stop_doubles_and_clips() -> None:
    sensor = SensorParams(exposure_ev=1.0)
    np.testing.assert_array_equal(measure(flat(60, 100, 127), sensor, 0), flat(120, 200, 254))
    np.testing.assert_array_equal(measure(flat(130, 200, 255), sensor, 0), flat(255, 255, 255))
    np.testing.assert_array_equal(measure(flat(60, 100, 200), SensorParams(exposure_ev=-1.0), 0), flat(30, 50, 100))


def test_white_balance_is_a_gain_per_channel() -> None:
    out = measure(flat(100, 100, 100), SensorParams(white_balance=(1.2, 1.0, 0.5)), 0)
    np.testing.assert_array_equal(out, flat(120, 100, 50))


def test_without_saturation_a_colour_is_its_mean() -> None:
    np.testing.assert_array_equal(measure(flat(30, 60, 120), SensorParams(saturation=0.0), 0), flat(70, 70, 70))
    # Twice as far from the mean, which is 70.
    np.testing.assert_array_equal(measure(flat(50, 60, 100), SensorParams(saturation=2.0), 0), flat(30, 50, 130))


def test_a_third_of_a_turn_of_hue_passes_red_on_to_green() -> None:
    third = SensorParams(hue_rad=2 * math.pi / 3)
    np.testing.assert_array_equal(measure(flat(200, 100, 50), third, 0), flat(50, 200, 100))
    np.testing.assert_array_equal(measure(flat(90, 90, 90), SensorParams(hue_rad=1.0), 0), flat(90, 90, 90))


@pytest.mark.parametrize("gamma", [0.5, 2.2])
def test_gamma_is_a_power(gamma: float) -> None:
    out = measure(flat(0, 128, 255), SensorParams(gamma=gamma), 0)[0, 0]
    np.testing.assert_allclose(out, 255 * (np.array([0, 128, 255]) / 255) ** gamma, atol=0.51)


def test_contrast_turns_about_middle_grey() -> None:
    out = measure(flat(28, 128, 228), SensorParams(contrast=0.5), 0)[0, 0]
    np.testing.assert_allclose(out, 127.5 + 0.5 * (np.array([28, 128, 228]) - 127.5), atol=0.51)


def test_haze_is_a_grey_veil() -> None:
    out = measure(flat(0, 100, 255), SensorParams(haze=0.25), 0)[0, 0]
    np.testing.assert_allclose(out, 0.75 * np.array([0, 100, 255]) + 0.25 * 0.6 * 255, atol=0.51)


def test_vignetting_takes_its_share_in_the_corners() -> None:
    picture = np.full((41, 61, 3), 200, np.uint8)
    out = measure(picture, SensorParams(vignetting=0.4), 0).astype(float)
    assert out[20, 30].tolist() == [200, 200, 200]
    for corner in (out[0, 0], out[0, -1], out[-1, 0], out[-1, -1]):
        np.testing.assert_allclose(corner, 120, atol=0.51)
    # Quadratic: at the middle of the side, (30 / 36.06)^2 of it.
    np.testing.assert_allclose(out[20, 0], 200 * (1 - 0.4 * 30**2 / (30**2 + 20**2)), atol=0.51)


def test_blur_spreads_a_point_by_its_standard_deviation() -> None:
    picture = np.zeros((61, 61, 3), np.uint8)
    picture[30, 30] = 255
    picture[28:33, 28:33] = 255
    out = measure(picture, SensorParams(blur_px=3.0), 0).astype(float)[..., 0]
    u = np.arange(61)
    weight = out.sum(axis=0) / out.sum()
    centre = (weight * u).sum()
    spread = (weight * (u - centre) ** 2).sum()
    assert centre == pytest.approx(30, abs=0.05)
    # Variances add: a square five pixels wide has (25 - 1) / 12.
    assert spread == pytest.approx(3.0**2 + 2.0, rel=0.1)
    assert out.sum() == pytest.approx(25 * 255, rel=0.03)


@pytest.mark.parametrize("std", [3.0, 10.0])
def test_noise_has_its_standard_deviation_and_no_neighbours(std: float) -> None:
    out = measure(np.full((120, 160, 3), 128, np.uint8), SensorParams(noise=std), 4).astype(float) - 128
    assert out.std() == pytest.approx(std, rel=0.1)
    assert abs(out.mean()) < 0.1
    assert abs(np.corrcoef(out[:, :-1, 0].ravel(), out[:, 1:, 0].ravel())[0, 1]) < 0.05
    assert abs(np.corrcoef(out[..., 0].ravel(), out[..., 1].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("shape", [(120, 160, 3), (121, 159, 3)])
def test_grain_is_two_pixels_wide(shape: tuple[int, int, int]) -> None:
    out = measure(np.full(shape, 128, np.uint8), SensorParams(grain=8.0), 4).astype(float) - 128
    assert out.std() == pytest.approx(8.0, rel=0.1)
    near = np.corrcoef(out[:, :-1, 0].ravel(), out[:, 1:, 0].ravel())[0, 1]
    far = np.corrcoef(out[:, :-2, 0].ravel(), out[:, 2:, 0].ravel())[0, 1]
    assert near == pytest.approx(0.5, abs=0.1)
    assert abs(far) < 0.1


def test_shading_is_smooth_and_the_same_for_all_channels() -> None:
    out = measure(np.full((120, 160, 3), 120, np.uint8), SensorParams(shading=0.2), 4).astype(float)
    assert 5 < out[..., 0].std() < 60
    assert np.abs(np.diff(out[..., 0], axis=1)).max() < 5
    np.testing.assert_array_equal(out[..., 0], out[..., 2])


def test_compression_is_stronger_at_lower_quality() -> None:
    y, x = np.mgrid[0:48, 0:64]
    picture = np.stack([x * 4, y * 5, (x + y) * 2], -1).astype(np.uint8)
    picture[10:20, 10:20] = (250, 10, 10)
    error = {
        q: np.abs(measure(picture, SensorParams(jpeg_quality=q), 0).astype(float) - picture).mean()
        for q in (99.0, 50.0, 5.0)
    }
    assert 0 < error[99.0] < error[50.0] < error[5.0]
    assert error[99.0] < 3, "channels keep their order"


def test_channels_arrive_in_another_order() -> None:
    for order in ("bgr", "grb", "gbr", "brg", "rbg"):
        out = measure(flat(10, 20, 30), SensorParams(channels=order), 0)[0, 0]
        assert out.tolist() == [{"r": 10, "g": 20, "b": 30}[c] for c in order]


def test_an_order_that_is_none() -> None:
    with pytest.raises(InputError, match=r"sensor\.channels must be one of rgb, bgr, grb, gbr, brg, rbg, got 'rrb'"):
        measure(PICTURE, SensorParams(channels="rrb"), 0)


def test_a_colour_filter_that_is_none() -> None:
    with pytest.raises(InputError, match=r"sensor\.bayer must be one of none, rggb, bggr, grbg, gbrg, got 'rgbg'"):
        measure(PICTURE, SensorParams(bayer="rgbg"), 0)


def test_the_outcome_is_pinned() -> None:
    y, x = np.mgrid[0:24, 0:32]
    picture = np.stack([x * 8, y * 10, (x + y) * 4], -1).astype(np.uint8)
    sensor = SensorParams(0.2, (1.05, 1.0, 0.93), 0.8, 0.05, 1.2, 1.1, 0.05, 0.0, 0.2, 0.6)
    out = measure(picture, sensor, 3)
    assert out[0, 0].tolist() == [8, 8, 8]
    assert out[12, 20].tolist() == [177, 129, 125]
    assert out[23, 31].tolist() == [204, 204, 194]


def test_very_many_electrons_are_no_noise() -> None:
    sensor = SensorParams(full_well_e=1e9)
    assert np.abs(measure(PICTURE, sensor, 0).astype(int) - PICTURE).max() <= 1


def test_light_is_counted_before_it_is_amplified_and_after_it_is_dimmed() -> None:
    few = {"full_well_e": 300.0}
    grey = np.full((120, 160, 3), 60, np.uint8)
    plain = measure(grey, SensorParams(**few), 1).astype(float)
    brighter = measure(grey, SensorParams(exposure_ev=1.0, **few), 1).astype(float)
    lit = measure(np.full((120, 160, 3), 120, np.uint8), SensorParams(**few), 1).astype(float)
    assert brighter.std() == pytest.approx(2 * plain.std(), rel=0.03)
    assert brighter.std() > 1.4 * lit.std(), "gain must not bring the photons that light brings"
    dimmed = measure(lit_twice := np.full((120, 160, 3), 120, np.uint8), SensorParams(exposure_ev=-1.0, **few), 1)
    assert dimmed.std() == pytest.approx(plain.std(), rel=0.03)
    assert lit_twice.mean() == 120


def test_lens_effects_of_a_sensor_that_counts_come_before_its_noise() -> None:
    grey = np.full((120, 160, 3), 120, np.uint8)
    out = measure(grey, SensorParams(full_well_e=1000.0, blur_px=2.0), 1).astype(float)
    assert abs(np.corrcoef(out[:, :-1, 0].ravel(), out[:, 1:, 0].ravel())[0, 1]) < 0.05


CAMERA = CameraIntrinsics.from_vertical_fov(64, 48, 0.9)


def test_a_neutral_lens_changes_nothing() -> None:
    depth = np.full((48, 64), 2.0, np.float32)
    sensor = SensorParams(noise=3.0, jpeg_quality=70.0)
    assert measure_through(PICTURE, depth, CAMERA, LensParams(), SensorParams(), 0) is PICTURE
    np.testing.assert_array_equal(
        measure_through(PICTURE, depth, CAMERA, LensParams(), sensor, 5), measure(PICTURE, sensor, 5)
    )


@pytest.mark.parametrize("lens", [LensParams(aperture_m=0.05, focus_m=0.5), LensParams(chromatic=0.02)])
def test_a_lens_comes_before_the_sensor(lens: LensParams) -> None:
    depth = np.full((48, 64), 2.0, np.float32)
    before = PICTURE.copy()
    seen = measure_through(PICTURE, depth, CAMERA, lens, SensorParams(), 0)
    assert (seen != PICTURE).mean() > 0.2
    sensor = SensorParams(noise=3.0, gamma=1.3)
    np.testing.assert_array_equal(measure_through(PICTURE, depth, CAMERA, lens, sensor, 5), measure(seen, sensor, 5))
    np.testing.assert_array_equal(PICTURE, before)
