"""The way of a picture through lens and sensor, effect by effect."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.optics import LensParams, SensorParams
from envs.sensing.compression import compressed
from envs.sensing.defocus import defocused
from envs.sensing.exposure import gains, toned
from envs.sensing.lens import fringed, through_glass, uneven_light
from envs.sensing.light import Float, display_of_16_bits, light_of_display, to_16_bits
from envs.sensing.mosaic import PATTERNS, demosaiced, filtered
from envs.sensing.noise import add_noise, counted

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
    rng = np.random.default_rng(seed)
    x = np.multiply(rgb, np.float32(1 / 255), dtype=np.float32)
    if sensor.shading > 0:
        x *= uneven_light(x.shape[0], x.shape[1], sensor.shading, rng)
    if sensor.full_well_e > 0 or sensor.bayer != "none":
        x = through_glass(x, sensor)
        exposure, balance = gains(x, sensor)
        x *= min(exposure, np.float32(1.0))
        x = toned(_counted_and_filtered(x, sensor, rng), sensor, balance * max(exposure, np.float32(1.0)))
    else:
        exposure, balance = gains(x, sensor)
        x = through_glass(toned(x, sensor, balance * exposure), sensor)
    add_noise(x, sensor, rng)
    x *= np.float32(255.0)
    x += np.float32(0.5)
    out = compressed(np.clip(x, 0.0, 255.0, out=x).astype(np.uint8), sensor.jpeg_quality)
    return _reordered(out, sensor.channels)


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


def _counted_and_filtered(display: Float, sensor: SensorParams, rng: np.random.Generator) -> Float:
    """Return display values after the colour filter, the counting of electrons, and the interpolation of colours."""
    has_filter = sensor.bayer != "none"
    light = light_of_display(filtered(display, sensor.bayer) if has_filter else display)
    if sensor.full_well_e > 0:
        light = counted(light, sensor.full_well_e, sensor.read_noise_e, rng)
    raw = to_16_bits(light)
    return display_of_16_bits(demosaiced(raw, sensor.bayer) if has_filter else raw)


def _reordered(rgb: NDArray[np.uint8], channels: str) -> NDArray[np.uint8]:
    if channels == "rgb":
        return rgb
    if channels == "bgr":
        return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)
    return np.ascontiguousarray(rgb[..., ["rgb".index(c) for c in channels]])


def _unknown(name: str, value: str, known: tuple[str, ...]) -> InputError:
    return InputError(f"sensor.{name} must be one of {', '.join(known)}, got '{value}'; correct it where it is set")
