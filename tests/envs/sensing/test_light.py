import numpy as np

from envs.sensing.light import display_of_16_bits, levels_of_light, light_of_display, light_of_levels, to_16_bits

LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_every_grey_level_comes_back_from_light() -> None:
    np.testing.assert_array_equal(levels_of_light(light_of_levels(LEVELS)), LEVELS)
    display = display_of_16_bits(to_16_bits(light_of_display(LEVELS.astype(np.float32) / 255)))
    np.testing.assert_allclose(display * 255, LEVELS, atol=0.06)


def test_light_of_known_grey_levels() -> None:
    # IEC 61966-2-1: half the light is level 187.5, the linear piece ends at level 10.3.
    found = light_of_levels(np.array([[0, 10, 188, 255]], np.uint8))
    np.testing.assert_allclose(found, [[0.0, 10 / 255 / 12.92, 0.5029, 1.0]], atol=1e-4)


def test_what_lies_outside_clips() -> None:
    np.testing.assert_array_equal(levels_of_light(np.array([-0.5, 2.0], np.float32)), [0, 255])
