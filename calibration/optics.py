"""What a camera does to light, with units: lens, shutter, colour sensor, depth sensor."""

from __future__ import annotations

from dataclasses import dataclass

Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class LensParams:
    """Optics beyond the pinhole.

    Attributes:
        aperture_m: diameter of the entrance pupil, metres; 0 is a pinhole, in focus everywhere.
        focus_m: depth that is in focus, metres.
        chromatic: lateral chromatic aberration: how much larger red is drawn than green, and blue smaller, relative.
    """

    aperture_m: float = 0.0
    focus_m: float = 1.0
    chromatic: float = 0.0


@dataclass(frozen=True)
class ShutterParams:
    """When light is gathered; with everything at rest neither changes a picture.

    Attributes:
        exposure_s: how long each row gathers light, seconds.
        readout_s: how much later the last row starts than the first, seconds; 0 is a global shutter.
    """

    exposure_s: float = 0.0
    readout_s: float = 0.0


@dataclass(frozen=True)
class SensorParams:
    """What the camera makes of the light.

    Attributes:
        exposure_ev: brightness change in stops, before clipping.
        white_balance: gain per channel.
        saturation: 0 grey, 1 as it is.
        hue_rad: rotation of hue about the grey axis.
        gamma: exponent on values 0 to 1.
        contrast: factor about middle grey.
        haze: share of a flat grey veil laid over the picture, 0 to 1.
        shading: strength of smooth uneven light over the picture, as a lamp or a window leaves it; its
            pattern is random.
        vignetting: share of light lost in the corners, 0 to 1.
        blur_px: standard deviation of a Gaussian, in pixels of the output image.
        noise: standard deviation of independent Gaussian noise per channel, grey levels of 255.
        grain: the same for noise that is two pixels wide, as left by demosaicing and compression.
        jpeg_quality: 1 to 100; 100 means no compression at all.
        channels: order in which the channels arrive; anything but "rgb" is a fault.
        auto_exposure: 0 off; 1 brings the mean grey level of every picture to middle grey, in between part of the way.
        auto_white_balance: 0 off; 1 makes the mean of every picture grey, in between part of the way.
        shoulder: 0 off; how strongly highlights are compressed before they clip, 0 to 1.
        full_well_e: electrons at full scale; 0 is a sensor without shot noise.
        read_noise_e: standard deviation of the read noise, electrons; needs full_well_e.
        bayer: mosaic of the colour filter, "none" or one of rggb, bggr, grbg, gbrg; the picture is demosaiced again.
    """

    exposure_ev: float = 0.0
    white_balance: Vector3 = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    hue_rad: float = 0.0
    gamma: float = 1.0
    contrast: float = 1.0
    haze: float = 0.0
    shading: float = 0.0
    vignetting: float = 0.0
    blur_px: float = 0.0
    noise: float = 0.0
    grain: float = 0.0
    jpeg_quality: float = 100.0
    channels: str = "rgb"
    auto_exposure: float = 0.0
    auto_white_balance: float = 0.0
    shoulder: float = 0.0
    full_well_e: float = 0.0
    read_noise_e: float = 0.0
    bayer: str = "none"


@dataclass(frozen=True)
class DepthParams:
    """Errors of a depth sensor.

    Attributes:
        noise_m: standard deviation along z at every range, metres.
        noise_per_m: standard deviation that grows with the square of the range, metres at 1 m.
        step_per_m: distance between two readings at 1 m, metres; it grows with the square of the range, as it does
            for a sensor that counts whole steps of disparity.
        edge_px: width of the band along depth edges in which readings drop out at random, pixels.
        lateral_px: standard deviation of the sideways displacement of a reading, pixels.
        dropout: share of readings that are missing anywhere.
        near_m: readings below are missing, metres.
        far_m: readings above are missing, metres; 0 is no limit.
    """

    noise_m: float = 0.0
    noise_per_m: float = 0.0
    step_per_m: float = 0.0
    edge_px: float = 0.0
    lateral_px: float = 0.0
    dropout: float = 0.0
    near_m: float = 0.0
    far_m: float = 0.0
