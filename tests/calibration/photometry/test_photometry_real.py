from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.photometry import measure_photometry

pytestmark = pytest.mark.real


def pictures(folder: Path, every: int = 1) -> list[NDArray[np.uint8]]:
    files = sorted(folder.glob("*.jpg"))[::every]
    return [np.asarray(cv2.cvtColor(cv2.imread(str(f)), cv2.COLOR_BGR2RGB), np.uint8) for f in files]


@pytest.mark.slow
def test_auto_exposure_of_the_cube_station_is_seen(real_data: Path) -> None:
    record = measure_photometry(real_data / "cube_on_table" / "images")
    exposure = record.estimates["sensor.exposure_ev.std"]
    assert 0.05 < exposure.low < exposure.high < 0.2
    assert record.estimates["sensor.white_balance.b.std"].high < 0.03
    assert 0.2 < record.estimates["sensor.blur_px"].value < 1.5
    assert 0.1 < record.estimates["sensor.noise"].value < 3
    assert record.quality["still_share"] > 0.8


def test_the_frame_with_a_cast_is_named(real_data: Path) -> None:
    frames = pictures(real_data / "dvrk_psm_tool" / "rgb")[:8]
    record = measure_photometry(frames)
    casts = [f.what for f in record.findings if "colour cast" in f.what]
    assert len(casts) == 1
    assert casts[0].startswith("frame 1 ")


def test_swapped_channels_of_real_frames_are_found(real_data: Path) -> None:
    frames = pictures(real_data / "cube_on_table" / "images", 5)
    reference = measure_photometry(frames[:3])
    swapped = [np.ascontiguousarray(f[..., ::-1]) for f in frames[3:6]]
    found = [f.what for f in measure_photometry(swapped, reference=reference).findings if "swapped" in f.what]
    assert len(found) == 1
    assert "in 3 of 3 frames" in found[0]
    right = measure_photometry(frames[3:6], reference=reference)
    assert not any("swapped" in f.what or "wrong order" in f.what for f in right.findings)
