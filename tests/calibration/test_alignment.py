from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.alignment import align_camera, median_picture
from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.rig_file import load_rig
from calibration.view import CameraView
from calibration.world import CameraParams, with_values
from envs.rendering.tiny import TinyRenderer

# The table's top: 76 cm x 122 cm, 89 cm above the floor.
TABLE_CORNERS = np.array([[x, y, 0.89] for x in (-1.26, -0.50) for y in (-0.61, 0.61)])
CHANGE = CameraParams((-0.02, 0.015, 0.01), (-0.015, 0.01, 0.015), 0.98)


def test_a_moved_camera_is_found_on_its_rendered_picture(renderer: Callable[[str], TinyRenderer]) -> None:
    rig = load_rig("cube_on_table")
    world = replace(nominal_world(rig), camera=CHANGE)
    picture = renderer("cube_on_table").render([world], rig.camera.intrinsics()).rgb[0]
    truth = CameraView.of(rig).moved(CHANGE).project(TABLE_CORNERS)
    wrong = np.linalg.norm(CameraView.of(rig).project(TABLE_CORNERS) - truth, axis=1)
    assert wrong.min() > 5, "there must be something to find"

    fit = align_camera(rig, [picture])

    error = np.linalg.norm(fit.view.project(TABLE_CORNERS) - truth, axis=1)
    assert error.max() < 2.0, error


@pytest.mark.real
def test_the_far_edge_of_the_table_lies_where_a_photograph_shows_it(real_data: Path) -> None:
    rig = load_rig("cube_on_table")
    files = sorted((real_data / "cube_on_table" / "images").glob("*.jpg"))
    pictures = [np.asarray(cv2.imread(str(f)))[..., ::-1] for f in files]
    fit = align_camera(rig, pictures)
    edge = fit.view.project(np.column_stack([np.full(50, -0.5), np.linspace(0.4, -0.4, 50), np.full(50, 0.89)]))
    assert edge[0, 0] < 310 < edge[-1, 0]
    # Read off one photograph by eye: the edge crosses column 310 at row 191.
    assert np.interp(310, edge[:, 0], edge[:, 1]) == pytest.approx(191, abs=2.0)


def test_the_median_forgets_what_moves() -> None:
    rng = np.random.default_rng(0)
    still = rng.integers(0, 255, (20, 30, 3)).astype(np.uint8)
    pictures = []
    for k in range(5):
        picture = still.copy()
        picture[4 * k : 4 * k + 4, :10] = 255
        pictures.append(picture)
    np.testing.assert_array_equal(median_picture(pictures), still)
    assert median_picture(pictures).dtype == np.uint8


def test_what_alignment_needs() -> None:
    rig = load_rig("cube_on_table")
    blank = np.full((480, 640, 3), 128, np.uint8)
    with pytest.raises(
        InputError, match="rig cube_on_table: aligning the camera needs alignment_body, the name of a box"
    ):
        align_camera(replace(rig, alignment_body=None), [blank])
    with pytest.raises(InputError, match="aligning the camera needs at least 1 photograph, got 0"):
        align_camera(rig, [])
    away = replace(rig, camera=replace(rig.camera, look_at_m=(-3.0, 0.0, 1.6)))
    with pytest.raises(InputError, match="needs 3 edges of 'table' in the photographs, found 0"):
        align_camera(away, [blank])


def test_with_values_and_replace_make_the_same_camera() -> None:
    world = nominal_world(load_rig("cube_on_table"))
    values = {
        "camera.shift_m": CHANGE.shift_m,
        "camera.tilt_rad": CHANGE.tilt_rad,
        "camera.focal_scale": 0.98,
    }
    assert with_values(world, values) == replace(world, camera=CHANGE)
