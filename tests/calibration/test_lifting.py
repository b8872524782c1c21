from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.errors import InputError
from calibration.kinematics import joint_matrices, nominal_world
from calibration.lifting import (
    FARTHEST_M,
    joints_of_point,
    keypoints_of_label,
    keypoints_world,
    label_point,
    label_point_of_joints,
    label_values,
    lift,
    lift_joints,
)
from calibration.rig import Rig
from calibration.rig_file import load_rig, parse_rig
from calibration.view import CameraView
from calibration.world import CameraParams, WorldParams, with_values

CORNERS = [
    (0.1, 0.1, 0.1),
    (-0.1, 0.1, 0.1),
    (0.1, -0.1, 0.1),
    (0.1, 0.1, -0.1),
    (-0.1, -0.1, 0.1),
    (-0.1, 0.1, -0.1),
]


@pytest.fixture
def pnp_rig(small_rig: str) -> Rig:
    """A rig whose box is found by its corners; the label is a point on it, in a frame of its own."""
    head, _, _ = small_rig.partition("[[keypoints]]")
    head = head.replace(
        "[camera]",
        "label_frame_position_m = [0.3, 0.1, -0.2]\nlabel_frame_rpy_rad = [0.1, 0.2, 0.3]\n[camera]",
    )
    head = head.replace(
        "[320, 240]",
        "[320, 240]\nprincipal_point_px = [150.0, 125.0]\ndistortion = [-0.2, 0.05, 0.001, -0.001, 0.0]",
        1,
    )
    points = "".join(
        f'[[keypoints]]\nname = "corner {k}"\nframe = "target"\npoint_m = {list(c)}\n' for k, c in enumerate(CORNERS)
    )
    label = """
[label]
name = "box position"
frame = "room"
columns = ["x_m", "y_m", "z_m"]
components = ["x", "y", "z"]
lift = "pnp"
point_frame = "target"
point_m = [0.02, -0.03, 0.05]
"""
    return parse_rig(head + points + label, "pnp", Path())


def cube_world(rig: Rig, rng: np.random.Generator) -> WorldParams:
    place = (float(rng.uniform(-1.3, -0.46)), float(rng.uniform(-0.66, 0.66)), 0.93)
    return with_values(nominal_world(rig), {"bodies.cube.position_m": place})


def test_plane_lifts_a_projected_cube_to_where_it_stands() -> None:
    rig = load_rig("cube_on_table")
    rng = np.random.default_rng(0)
    # Any camera will do, as long as the same one lifts that projected.
    for view in (
        CameraView.of(rig),
        CameraView.of(rig).moved(CameraParams((0.1, 0, 0.05), (0.02, 0.05, -0.03), 0.9)),
    ):
        for _ in range(10):
            world = cube_world(rig, rng)
            point = lift(rig, view, view.project(keypoints_world(rig, world)))
            np.testing.assert_allclose(point, label_point(rig, world), atol=1e-9)
            np.testing.assert_allclose(point, np.array(world.body("cube").position_m) - (0, 0, 0.6), atol=1e-9)


def test_a_ray_that_misses_the_plane_is_bent_to_it() -> None:
    rig = load_rig("cube_on_table")
    view = CameraView.of(rig)
    sky = lift(rig, view, [(320.0, -2000.0)])
    assert np.isfinite(sky).all()
    assert sky[2] == 0.33
    assert np.linalg.norm(sky - view.world_from_camera.position_m) <= FARTHEST_M + 1.0


def test_joints_lift_projected_balls_to_the_joint_positions() -> None:
    rig = load_rig("psm_tool")
    view = CameraView.of(rig)
    rng = np.random.default_rng(1)
    for _ in range(6):
        q = {
            n: float(v)
            for n, v in zip(
                ("yaw", "pitch", "insertion"),
                rng.uniform((-0.65, -0.24, 0.17), (-0.25, -0.04, 0.255)),
                strict=True,
            )
        }
        world = with_values(nominal_world(rig), {f"joints.{n}.position": v for n, v in q.items()})
        pixels = view.project(keypoints_world(rig, world))
        assert lift_joints(rig, view, pixels) == pytest.approx(q, abs=1e-5)
        np.testing.assert_allclose(lift(rig, view, pixels), label_point(rig, world), atol=1e-6)
        np.testing.assert_allclose(label_point(rig, world), label_point_of_joints(rig, q), atol=1e-12)


def test_joints_of_a_point_bring_the_tool_there() -> None:
    rig = load_rig("psm_tool")
    q = {"yaw": -0.31, "pitch": -0.2, "insertion": 0.23}
    point = joint_matrices(rig, q)["insertion"][:3, 3]
    assert joints_of_point(rig, point) == pytest.approx(q, abs=1e-6)
    # And stay within the limits for a point that cannot be reached.
    far = joints_of_point(rig, point * 10)
    assert far["insertion"] == pytest.approx(0.30, abs=1e-6)


def test_pnp_lifts_projected_corners_however_the_box_is_turned(pnp_rig: Rig) -> None:
    view = CameraView.of(pnp_rig)
    rng = np.random.default_rng(2)
    room_from_world = np.linalg.inv(pnp_rig.world_from_label_frame().matrix())
    for _ in range(8):
        position, turn = rng.uniform((-0.3, -0.3, 0.2), (0.3, 0.3, 0.8)), Rotation.random(rng=rng)
        world = with_values(
            nominal_world(pnp_rig),
            {
                "bodies.target.position_m": tuple(position.tolist()),
                "bodies.target.rpy_rad": tuple(turn.as_euler("xyz").tolist()),
            },
        )
        corners = position + turn.apply(CORNERS)
        np.testing.assert_allclose(keypoints_world(pnp_rig, world), corners, atol=1e-9)
        truth = position + turn.apply((0.02, -0.03, 0.05))
        truth = room_from_world[:3, :3] @ truth + room_from_world[:3, 3]
        np.testing.assert_allclose(label_point(pnp_rig, world), truth, atol=1e-9)
        np.testing.assert_allclose(lift(pnp_rig, view, view.project(corners)), truth, atol=1e-5)


@pytest.mark.parametrize(
    "lens",
    [
        ("pinhole", (-0.28, 0.09, 0.0012, -0.0007, -0.012)),
        ("pinhole", (0.49, -2.71, 0.0006, -0.0002, 1.58, 0.37, -2.54, 1.51)),
        ("fisheye", (0.02, -0.01, 0.003, 0.0, 0.0)),
    ],
    ids=["five", "rational", "fisheye"],
)
def test_pnp_holds_for_every_lens(pnp_rig: Rig, lens: tuple[Any, Any]) -> None:
    rig = replace(pnp_rig, camera=replace(pnp_rig.camera, lens=lens[0], distortion=lens[1]))
    view = CameraView.of(rig)
    world = nominal_world(rig)
    seen = view.project(keypoints_world(rig, world))
    np.testing.assert_allclose(lift(rig, view, seen), label_point(rig, world), atol=1e-5)
    seen[0] = np.nan
    assert np.isnan(lift(rig, view, seen)).all()


def test_keypoints_of_a_label() -> None:
    cube = load_rig("cube_on_table")
    np.testing.assert_allclose(keypoints_of_label(cube, (-0.7, 0.2, 0.33)), [(-0.7, 0.2, 0.93)])

    tool = load_rig("psm_tool")
    q = {"yaw": -0.5, "pitch": -0.1, "insertion": 0.2}
    frame = joint_matrices(tool, q)["insertion"]
    # The balls sit 17 and 67 mm above joint 4 on the shaft's axis.
    balls = [frame[:3, 3] + frame[:3, 2] * 0.017, frame[:3, 3] + frame[:3, 2] * 0.067]
    point = label_point_of_joints(tool, q)
    np.testing.assert_allclose(keypoints_of_label(tool, point, q), balls, atol=1e-12)
    np.testing.assert_allclose(keypoints_of_label(tool, point), balls, atol=1e-6)


def test_a_point_does_not_say_how_a_body_is_turned(pnp_rig: Rig) -> None:
    with pytest.raises(InputError) as error:
        keypoints_of_label(pnp_rig, (0.0, 0.0, 0.0))
    assert str(error.value) == ("rig small: lift 'pnp' cannot place keypoints from a point label; use lift 'plane'")


def test_label_values_are_the_scored_columns_in_their_order() -> None:
    np.testing.assert_array_equal(label_values(load_rig("cube_on_table"), (1.0, 2.0, 3.0)), (1.0, 2.0))
    np.testing.assert_array_equal(label_values(load_rig("psm_tool"), (1.0, 2.0, 3.0)), (1.0, 2.0, 3.0))
