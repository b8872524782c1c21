"""`sim2real calibrate photometry`."""

from __future__ import annotations

from calibration.photometry.measure import measure_photometry
from calibration.photometry.photon_transfer import measure_sensor_noise
from sim2real.calibrate.configs import PhotometryConfig
from sim2real.calibrate.inputs import new_folder, read_pictures
from sim2real.calibrate.page import Shown, write_calibration


def run(config: PhotometryConfig) -> tuple[str, int]:
    """Measure; return one line and the exit status.

    Raises:
        InputError: no photographs, of different sizes, or too few.
    """
    pictures = read_pictures(config.real)
    place = config.real / "images" if (config.real / "images").is_dir() else config.real
    frames = [picture for _, picture in pictures]
    record = measure_sensor_noise(frames) if config.still else measure_photometry(place)
    out = new_folder(config.out)
    shown = [Shown(picture, name) for name, picture in pictures[:2]]
    return write_calibration(out, "Light and sensor", record, (), shown), 0 if record.is_usable else 3
