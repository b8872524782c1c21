"""The way of a picture through lens and sensor, effect by effect."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.optics import LensParams, SensorParams
from envs.sensing.compression import compress
from envs.sensing.defocus import defocused
from envs.sensing.development import developed, noisy_levels
from envs.sensing.exposure import gains, toned
from envs.sensing.lens import fringed, through_glass, uneven_grid, uneven_light
from envs.sensing.light import Float, display_of_16_bits, light_of_display, to_16_bits
from envs.sensing.mosaic import PATTERNS, demosaiced, filtered
from envs.sensing.noise import counted

_CHANNEL_ORDERS = ("rgb", "bgr", "grb", "gbr", "brg", "rbg")
_NEUTRAL = SensorParams()


def measure(rgb: NDArray[np.uint8], sensor: SensorParams, seed: int) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) as the sensor delivers it; the given one is unchanged.

    With a sensor that counts electrons or has a colour filter, the order is that of the light: shading, vignetting,
    haze, blur, then what the sensor counts, and on that the gains and the tone curve. A gain of exposure above 1 is
    amplification of what was counted, and of its noise; one below 1 is less light to count. Without either, the gains
    and the tone curve come before vignetting, haze and blur. Noise, compression and the order of channels come last.

    Args:
        rgb: what the renderer drew.
        sensor: all effects are off in the default.
        seed: of the noise.

    Raises:
        InputError: an unknown order of channels or colour filter.
    """
    if sensor == _NEUTRAL:
        return rgb
    if sensor.channels not in _CHANNEL_ORDERS:
        raise _unknown("channels", sensor.channels, _CHANNEL_ORDERS)
    if sensor.bayer not in ("none", *PATTERNS):
        raise _unknown("bayer", sensor.bayer, ("none", *PATTERNS))
    if sensor.full_well_e > 0 or sensor.bayer != "none":
        planes = _counted(rgb, sensor, seed)
    else:
        planes = developed(rgb, sensor, seed)
    compress(planes, sensor.jpeg_quality)
    red, green, blue = planes
    colours = {"r": red, "g": green, "b": blue}
    return np.asarray(cv2.merge([colours[c] for c in sensor.channels]), np.uint8)


def measure_through(
    rgb: NDArray[np.uint8],
    depth_m: NDArray[np.floating],
    camera: CameraIntrinsics,
    lens: LensParams,
    sensor: SensorParams,
    seed: int,
) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) as the sensor behind this lens delivers it; the given one is unchanged.

    Args:
        rgb: what the renderer drew.
        depth_m: along z (H, W); infinity where nothing is. Read only for a lens with an aperture.
        camera: of the picture.
        lens: defocus and colour fringes; both are off in the default.
        sensor: all effects are off in the default.
        seed: of the noise.

    Raises:
        InputError: an unknown order of channels or colour filter.
    """
    drawn = fringed(defocused(rgb, depth_m, camera, lens), camera, lens.chromatic)
    return measure(drawn, sensor, seed)


def _counted(rgb: NDArray[np.uint8], sensor: SensorParams, seed: int) -> NDArray[np.uint8]:
    """Return the planes (3, H, W) of a sensor that counts electrons or has a colour filter."""
    x = np.multiply(rgb, np.float32(1 / 255), dtype=np.float32)
    if sensor.shading > 0:
        x *= uneven_light(x.shape[0], x.shape[1], uneven_grid(sensor.shading, seed))
    x = through_glass(x, sensor)
    red, green, blue, _ = cv2.mean(x)
    exposure, balance = gains((red, green, blue), sensor)
    x *= np.float32(min(exposure, 1.0))
    x = _counted_and_filtered(x, sensor, np.random.default_rng(seed))
    return noisy_levels(toned(x, sensor, max(exposure, 1.0), balance), sensor, seed)


def _counted_and_filtered(display: Float, sensor: SensorParams, rng: np.random.Generator) -> Float:
    """Return display values after the colour filter, the counting of electrons, and the interpolation of colours."""
    has_filter = sensor.bayer != "none"
    light = light_of_display(filtered(display, sensor.bayer) if has_filter else display)
    if sensor.full_well_e > 0:
        light = counted(light, sensor.full_well_e, sensor.read_noise_e, rng)
    raw = to_16_bits(light)
    return display_of_16_bits(demosaiced(raw, sensor.bayer) if has_filter else raw)


def _unknown(name: str, value: str, known: tuple[str, ...]) -> InputError:
    return InputError(f"sensor.{name} must be one of {', '.join(known)}, got '{value}'; correct it where it is set")
