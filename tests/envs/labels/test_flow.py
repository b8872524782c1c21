from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.kinematics import frame_matrices, nominal_world
from calibration.rig import Rig
from calibration.rig_file import load_rig, parse_rig
from calibration.view import CameraView
from calibration.world import WorldParams, with_values
from envs.labels.flow import optical_flow
from envs.motion import view_after, world_after
from envs.rendering.renderer import Images
from envs.rendering.tiny import TinyRenderer

WALL = """\
format = 1
name = "wall"
description = "a wall across the view"
[camera]
image_size_px = [160, 120]
focal_px = [150.0, 140.0]
position_m = [-2.0, 0.0, 0.0]
look_at_m = [0.0, 0.0, 0.0]
[[bodies]]
name = "wall"
role = "surface"
shape = "box"
size_m = [0.2, 20.0, 20.0]
position_m = [0.1, 0.0, 0.0]
[[keypoints]]
name = "centre"
frame = "wall"
[label]
name = "wall"
frame = "room"
columns = ["x_m", "y_m", "z_m"]
components = ["x", "y", "z"]
lift = "plane"
plane_z_m = 0.0
"""


def draw(rig: Rig, worlds: list[WorldParams]) -> Images:
    renderer = TinyRenderer(rig)
    images = renderer.render(worlds, rig.camera.intrinsics())
    renderer.close()
    return images


def flow_of(rig: Rig, world: WorldParams, images: Images, dt_s: float) -> NDArray[np.float32]:
    return optical_flow(rig, world, images.views[0], images.depth_m[0], images.segmentation[0], dt_s)


@pytest.fixture(scope="module")
def wall() -> tuple[Rig, WorldParams, Images]:
    rig = parse_rig(WALL, "test", Path())
    world = nominal_world(rig)
    return rig, world, draw(rig, [world])


def test_a_camera_that_moves_along_a_wall(wall: tuple[Rig, WorldParams, Images]) -> None:
    rig, nominal, images = wall
    world = with_values(nominal, {"camera.velocity_m_s": (0.5, -0.2, 0.0)})
    flow = flow_of(rig, world, images, 0.2)
    # The wall is 2 m away: it moves against the camera by focal length times displacement over depth.
    np.testing.assert_allclose(flow[..., 0], -150 * 0.1 / 2, atol=2e-3)
    np.testing.assert_allclose(flow[..., 1], 140 * 0.04 / 2, atol=2e-3)
    np.testing.assert_allclose(flow_of(rig, world, images, -0.2), -flow, atol=2e-3)


def test_a_camera_that_comes_nearer_and_one_that_rolls(wall: tuple[Rig, WorldParams, Images]) -> None:
    rig, nominal, images = wall
    u, v = np.meshgrid(np.arange(160) - 79.5, np.arange(120) - 59.5)
    nearer = flow_of(rig, with_values(nominal, {"camera.velocity_m_s": (0.0, 0.0, 1.0)}), images, 0.4)
    # From 2 m to 1.6 m everything is 1.25 times as large.
    np.testing.assert_allclose(nearer, np.stack([0.25 * u, 0.25 * v], axis=-1), atol=0.02)
    rolled = flow_of(rig, with_values(nominal, {"camera.angular_velocity_rad_s": (0.0, 0.0, 1.0)}), images, 0.1)
    x, y, c, s = u / 150, v / 140, np.cos(0.1), np.sin(0.1)
    np.testing.assert_allclose(rolled[..., 0], 150 * (c * x + s * y) - u, atol=1e-3)
    np.testing.assert_allclose(rolled[..., 1], 140 * (c * y - s * x) - v, atol=1e-3)


def test_a_turn_of_the_camera_is_the_same_at_every_depth(wall: tuple[Rig, WorldParams, Images]) -> None:
    rig, nominal, images = wall
    world = with_values(nominal, {"camera.angular_velocity_rad_s": (0.3, 0.2, 0.1)})
    far = replace(images, depth_m=images.depth_m * 3)
    np.testing.assert_allclose(flow_of(rig, world, far, 0.1), flow_of(rig, world, images, 0.1), atol=1e-4)


def test_nothing_moves_and_nothing_is_there(small_rig: str) -> None:
    rig = parse_rig(small_rig, "test", Path())
    world = nominal_world(rig)
    images = draw(rig, [world])
    flow = flow_of(rig, world, images, 1.0)
    assert flow.dtype == np.float32
    seen = images.segmentation[0] >= 0
    assert np.isnan(flow[~seen]).all()
    np.testing.assert_allclose(flow[seen], 0, atol=1e-4)
    # What passes the camera within the second has no place in the picture any more.
    gone = with_values(world, {"camera.velocity_m_s": (0.0, 0.0, 5.0)})
    assert np.isnan(flow_of(rig, gone, images, 1.0)).all()


MOVING = {
    "bodies.cube.velocity_m_s": (0.3, -0.4, 0.1),
    "bodies.cube.angular_velocity_rad_s": (0.5, -1.0, 4.0),
    "bodies.cube.rpy_rad": (0.2, 0.3, 0.5),
    "camera.velocity_m_s": (0.2, 0.1, 0.3),
    "camera.angular_velocity_rad_s": (0.2, -0.3, 0.5),
    "camera.tilt_rad": (0.02, -0.03, 0.05),
}


@pytest.mark.parametrize("name", ["cube_on_table", "psm_tool", "panda_tabletop"])
def test_the_flow_leads_to_the_same_places_in_the_second_picture(name: str) -> None:
    rig = load_rig(name)
    nominal = nominal_world(rig)
    values = {k: v for k, v in MOVING.items() if not k.startswith("bodies.cube") or name != "psm_tool"}
    if name == "psm_tool":
        values |= {f"joints.{j.name}.velocity": 0.2 for j in nominal.joints if j.name != "insertion"}
        values |= {"joints.insertion.velocity": 0.05, "camera.velocity_m_s": (0.02, 0.01, 0.03)}
    world = with_values(nominal, values)
    dt = 0.1
    images = draw(rig, [world, world_after(world, dt)])
    flow = flow_of(rig, world, images, dt)
    carried_depth = second_depth(rig, world, images, dt)
    bodies = [b.name for b in world.bodies]
    checked = 0
    for index in np.unique(images.segmentation[0][images.segmentation[0] >= 0]).tolist():
        its = images.segmentation[0] == index
        inner = cv2.erode(its.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        rows, columns = np.nonzero(inner & np.isfinite(flow).all(axis=-1))
        if len(rows) < 30:
            continue
        to = np.rint(np.column_stack([columns, rows]) + flow[rows, columns]).astype(int)
        height, width = its.shape
        on = (to[:, 0] >= 0) & (to[:, 0] < width) & (to[:, 1] >= 0) & (to[:, 1] < height)
        if on.sum() < 30:
            continue
        found = images.segmentation[1][to[on, 1], to[on, 0]]
        assert (found == index).mean() > 0.9, bodies[index]
        same = found == index
        expected = carried_depth[rows[on], columns[on]][same]
        depth = images.depth_m[1][to[on, 1], to[on, 0]][same]
        assert np.median(np.abs(depth - expected) / expected) < 0.005, bodies[index]
        checked += 1
    assert checked >= 2


def second_depth(rig: Rig, world: WorldParams, images: Images, dt_s: float) -> NDArray[np.float64]:
    """Return the depth (H, W) of each pixel's point later, by way of the world and the frame of its body."""
    now, then = frame_matrices(rig, world), frame_matrices(rig, world_after(world, dt_s))
    depth, segmentation = images.depth_m[0].astype(np.float64), images.segmentation[0]
    out = np.full(depth.shape, np.nan)
    for index in np.unique(segmentation[segmentation >= 0]).tolist():
        name = world.bodies[index].name
        rows, columns = np.nonzero(segmentation == index)
        rays = images.views[0].intrinsics.unproject(np.column_stack([columns, rows]))
        in_world = images.views[0].world_from_camera.apply(rays * depth[rows, columns][:, None])
        local = np.linalg.inv(now[name]) @ np.column_stack([in_world, np.ones(len(rows))]).T
        later = images.views[1].world_from_camera.inverse().apply((then[name] @ local)[:3].T)
        out[rows, columns] = later[:, 2]
    return out


def test_the_flow_carries_colours(small_rig: str) -> None:
    rig = parse_rig(small_rig, "test", Path())
    values = {
        "bodies.target.texture": "checker:1",
        "bodies.target.velocity_m_s": (0.0, -0.6, 0.2),
        "camera.velocity_m_s": (0.1, 0.0, 0.4),
    }
    world = with_values(nominal_world(rig), values)
    images = draw(rig, [world, world_after(world, 0.2)])
    flow = flow_of(rig, world, images, 0.2)
    inner = cv2.erode((images.segmentation[0] == 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    rows, columns = np.nonzero(inner)
    to = (np.column_stack([columns, rows]) + flow[rows, columns]).astype(np.float32)
    second = cv2.remap(images.rgb[1].astype(np.float32), to[:, None, 0], to[:, None, 1], cv2.INTER_LINEAR)[:, 0]
    first = images.rgb[0][rows, columns].astype(np.float32)
    moved = np.median(np.abs(second - first).mean(axis=1))
    stayed = np.abs(images.rgb[1][rows, columns].astype(np.float32) - first).mean(axis=1)
    assert np.ptp(first, axis=0).max() > 60, "the picture must show a pattern"
    assert moved < 8 < np.mean(stayed)
    assert np.linalg.norm(flow[rows, columns], axis=1).min() > 10


def test_pixels_of_an_arm_with_moving_joints_are_unknown() -> None:
    rig = load_rig("panda_tabletop")
    nominal = nominal_world(rig)
    images = draw(rig, [nominal])
    arm = images.segmentation[0] == [b.name for b in nominal.bodies].index("robot")
    assert arm.sum() > 100
    moving = with_values(nominal, {"joints.panda_joint4.velocity": 0.5, "camera.velocity_m_s": (0.1, 0.0, 0.0)})
    flow = flow_of(rig, moving, images, 0.1)
    assert np.isnan(flow[arm]).all()
    assert np.isfinite(flow[~arm & (images.segmentation[0] >= 0)]).all()
    base = with_values(nominal, {"bodies.robot.velocity_m_s": (0.0, 0.2, 0.0)})
    flow = flow_of(rig, base, images, 0.1)
    assert np.isfinite(flow[arm]).all()
    assert np.abs(flow[arm]).max() > 2


def test_a_camera_after_a_while_is_the_same_by_both_ways() -> None:
    rig = load_rig("cube_on_table")
    world = with_values(nominal_world(rig), MOVING | {"camera.shift_m": (0.1, 0.2, -0.1)})
    nominal = CameraView.of(rig)
    first = view_after(nominal.moved(world.camera), world.camera, 0.3).world_from_camera.matrix()
    second = nominal.moved(world_after(world, 0.3).camera).world_from_camera.matrix()
    np.testing.assert_allclose(first, second, atol=1e-12)
    assert world_after(world, 0.0).bodies[0] == world.bodies[0]
