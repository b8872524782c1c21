import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from calibration.kinematics import frame_matrices, nominal_world
from calibration.pose import look_at
from calibration.rig_file import load_rig, parse_rig
from calibration.world import BackgroundParams, WorldParams, with_values
from envs.rendering.opengl import depth_from_buffer, projection_matrix, view_matrix
from envs.rendering.tiny import TinyRenderer
from sim2real.presets import load_preset, rig_spec
from sim2real.randomization import WorldSampler

SMALL = (80, 60)


def drawn_worlds(name: str, count: int, seed: int = 5) -> list[WorldParams]:
    rig = load_rig(name)
    sampler = WorldSampler(rig_spec(rig, load_preset("wide")), nominal_world(rig))
    return [sampler.sample(seed, k) for k in range(count)]


def test_opengl_draws_where_the_camera_projects() -> None:
    camera = CameraIntrinsics(320, 200, 250.0, 240.0, 140.0, 110.0)
    pose = look_at((1.0, -2.0, 1.5), (0.0, 0.2, 0.3))
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (10, 3))
    homogeneous = np.column_stack([points, np.ones(10)])
    clip = homogeneous @ view_matrix(pose).T @ projection_matrix(camera, 0.1, 10.0).T
    ndc = clip[:, :3] / clip[:, 3:]
    # OpenGL's window: x to the right and y up, 0 at the outer corner of the lower left pixel.
    pixels = np.column_stack([(ndc[:, 0] + 1) / 2 * 320 - 0.5, (1 - ndc[:, 1]) / 2 * 200 - 0.5])
    np.testing.assert_allclose(pixels, camera.project(pose.inverse().apply(points)), atol=1e-9)
    depth = depth_from_buffer(((ndc[:, 2] + 1) / 2).astype(np.float32), 0.1, 10.0)
    np.testing.assert_allclose(depth, pose.inverse().apply(points)[:, 2], rtol=1e-4)


def test_depth_of_the_two_planes_and_of_nothing() -> None:
    buffer = np.array([0.0, np.nextafter(np.float32(1), np.float32(0)), 1.0], np.float32)
    near, far, nothing = depth_from_buffer(buffer, 0.1, 10.0)
    assert (near, nothing) == (pytest.approx(0.1), np.inf)
    assert far == pytest.approx(10.0, rel=1e-3)


@pytest.mark.parametrize("name", ["cube_on_table", "psm_tool", "panda_tabletop"])
def test_a_picture_does_not_depend_on_what_was_drawn_before(name: str) -> None:
    rig = load_rig(name)
    count = 8 if name == "panda_tabletop" else 21
    worlds = drawn_worlds(name, count)
    camera = rig.camera.intrinsics().resized(*SMALL)
    renderer = TinyRenderer(rig)
    first = renderer.render(worlds[:1], camera)
    others = renderer.render(worlds[1:], camera)
    again = renderer.render(worlds[:1], camera)
    renderer.close()
    assert (others.rgb != first.rgb).any(axis=(1, 2, 3)).all(), "the others must be others"
    for field in ("rgb", "depth_m", "segmentation"):
        np.testing.assert_array_equal(getattr(again, field), getattr(first, field))
    # Nor does a world that comes late differ from one that a new renderer draws first.
    fresh = TinyRenderer(rig)
    late = fresh.render(worlds[-1:], camera)
    fresh.close()
    for field in ("rgb", "depth_m", "segmentation"):
        np.testing.assert_array_equal(getattr(late, field)[0], getattr(others, field)[-1])


def test_more_sizes_than_are_kept_change_nothing(small_rig: str) -> None:
    rig = parse_rig(small_rig, "test", Path())
    nominal = nominal_world(rig)
    camera = rig.camera.intrinsics().cropped(80, 60, 160, 120)
    renderer = TinyRenderer(rig)
    first = renderer.render([nominal], camera).rgb
    scales = [0.5 + 0.01 * k for k in range(80)]
    pictures = renderer.render([with_values(nominal, {"bodies.target.size_scale": s}) for s in scales], camera)
    areas = (pictures.segmentation == 0).sum(axis=(1, 2))
    np.testing.assert_array_equal(renderer.render([nominal], camera).rgb, first)
    renderer.close()
    np.testing.assert_allclose(np.sqrt(areas / areas[50]), scales, atol=0.06)


def test_what_is_not_present_is_not_drawn() -> None:
    rig = load_rig("cube_on_table")
    worlds = drawn_worlds("cube_on_table", 12)
    renderer = TinyRenderer(rig)
    images = renderer.render(worlds, rig.camera.intrinsics().resized(*SMALL))
    absent = 0
    for world, segmentation in zip(worlds, images.segmentation, strict=True):
        hidden = {k for k, b in enumerate(world.bodies) if not b.present}
        absent += len(hidden)
        assert not hidden & set(np.unique(segmentation).tolist())
    assert absent > 50

    nominal = nominal_world(rig)
    camera = rig.camera.intrinsics().resized(*SMALL)
    cube = [b.name for b in nominal.bodies].index("cube")
    seen, unseen = renderer.render([nominal, with_values(nominal, {"bodies.cube.present": False})], camera).segmentation
    renderer.close()
    assert (seen == cube).sum() > 5
    assert (unseen == cube).sum() == 0


def test_parked_bodies_are_out_of_sight_even_when_the_camera_looks_down(small_rig: str) -> None:
    # Bodies as large as can be, seen from just above the place where they are parked.
    text = small_rig.replace("size_m = [0.2, 0.2, 0.2]", "size_m = [49.0, 49.0, 1.0]")
    text = text.replace("position_m = [0.0, 0.0, 0.5]", "position_m = [0.0, 0.0, -5.0]")
    text = text.replace("look_at_m = [0.0, 0.0, 0.5]", "look_at_m = [-1.999, 0.0, -5.0]")
    rig = parse_rig(text, "test", Path())
    low = nominal_world(rig)
    empty = with_values(low, {"bodies.target.present": False, "bodies.screen.present": False})
    empty = replace(empty, background=BackgroundParams((0.1, 0.5, 0.9)))
    renderer = TinyRenderer(rig)
    images = renderer.render([low, empty], rig.camera.intrinsics().resized(*SMALL))
    renderer.close()
    assert (images.segmentation[0] == 0).all()
    assert (images.segmentation[1] == -1).all()
    assert (images.rgb[1] == (25, 127, 229)).all()
    assert np.isinf(images.depth_m[1]).all()


def test_the_background_is_a_picture_times_a_colour(small_rig: str) -> None:
    rig = parse_rig(small_rig, "test", Path())
    nominal = nominal_world(rig)
    worlds = [
        replace(nominal, background=BackgroundParams((1.0, 1.0, 1.0), "checker:1")),
        replace(nominal, background=BackgroundParams((0.5, 1.0, 0.0), "checker:1")),
    ]
    renderer = TinyRenderer(rig)
    images = renderer.render(worlds, rig.camera.intrinsics().resized(*SMALL))
    renderer.close()
    plain, tinted = images.rgb[0][images.segmentation[0] < 0], images.rgb[1][images.segmentation[1] < 0]
    assert len(np.unique(plain, axis=0)) >= 2
    np.testing.assert_allclose(tinted, plain * np.array([0.5, 1.0, 0.0]), atol=1)


def test_a_texture_is_seen_and_coloured(small_rig: str) -> None:
    rig = parse_rig(small_rig, "test", Path())
    nominal = nominal_world(rig)
    looks = {"bodies.target.rgb": (1.0, 1.0, 1.0)}
    worlds = [
        with_values(nominal, looks),
        with_values(nominal, looks | {"bodies.target.texture": "checker:1"}),
        with_values(nominal, {"bodies.target.rgb": (0.0, 1.0, 0.0), "bodies.target.texture": "checker:1"}),
    ]
    renderer = TinyRenderer(rig)
    images = renderer.render(worlds, rig.camera.intrinsics())
    renderer.close()
    plain, textured, green = (images.rgb[k][images.segmentation[k] == 0] for k in range(3))
    assert plain.std(axis=0).max() < 5
    assert textured.std(axis=0).max() > 20
    assert green[:, (0, 2)].max() < 5
    assert green[:, 1].std() > 20


def test_the_lens_bends_the_picture_as_opencv_would(small_rig: str) -> None:
    rig = parse_rig(small_rig, "test", Path())
    nominal = with_values(nominal_world(rig), {"bodies.screen.position_m": (-1.0, 0.8, 0.9)})
    bent = CameraIntrinsics(320, 240, 300.0, 300.0, 150.0, 130.0, (-0.3, 0.1, 0.0, 0.0, 0.0))
    straight = replace(bent, distortion=(0.0, 0.0, 0.0, 0.0, 0.0))
    renderer = TinyRenderer(rig)
    distorted, plain = (renderer.render([nominal], c) for c in (bent, straight))
    renderer.close()
    undone = cv2.undistort(distorted.segmentation[0].astype(np.float32) + 1, bent.matrix(), np.array(bent.distortion))
    agree = (np.round(undone) - 1 == plain.segmentation[0])[20:-20, 20:-20]
    assert agree.mean() > 0.995
    assert (distorted.segmentation[0] == plain.segmentation[0]).mean() < 0.995


def test_an_arm_by_path_is_drawn_where_its_links_are(small_rig: str, robots: Path, tmp_path: Path) -> None:
    (tmp_path / "station").mkdir()
    (tmp_path / "so101").symlink_to(robots / "so101")
    robot = '[robot]\nurdf = "../so101/so101_new_calib.urdf"\nposition_m = [0.0, 0.1, 0.4]\n\n[camera]'
    file = tmp_path / "station" / "arm.toml"
    text = small_rig.replace("[camera]", robot).replace(
        "position_m = [-2.0, 0.0, 0.5]", "position_m = [-0.9, 0.5, 0.8]"
    )
    file.write_text(text)
    rig = load_rig(str(file))
    world = with_values(nominal_world(rig), {"bodies.target.position_m": (3.0, 3.0, 0.0)})
    turned = with_values(world, {"joints.shoulder_pan.position": 1.2, "bodies.robot.rgb": (1.0, 0.2, 0.2)})
    camera = rig.camera.intrinsics().resized(160, 120)
    renderer = TinyRenderer(rig)
    images = renderer.render([world, turned, with_values(world, {"bodies.robot.present": False})], camera)
    renderer.close()
    arm = [b.name for b in world.bodies].index("robot")
    seen = images.segmentation == arm
    assert seen[0].sum() > 400
    assert (seen[0] != seen[1]).sum() > 100, "a joint moves pixels"
    assert images.rgb[1][seen[1]][:, 1].mean() < 0.5 * images.rgb[1][seen[1]][:, 0].mean(), "tinted red"
    assert seen[2].sum() == 0
    # The arm stands on its base: its pixels lie about the projected places of its links.
    for k, one in enumerate((world, turned)):
        frames = frame_matrices(rig, one)
        links = np.array([frames[n][:3, 3] for n in frames if n.endswith("_link")])
        near = cv2.dilate(seen[k].astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        pixels = np.round(images.views[k].project(links)).astype(int)
        assert near[pixels[:, 1], pixels[:, 0]].mean() > 0.8


def test_closing_twice_is_fine() -> None:
    renderer = TinyRenderer(load_rig("psm_tool"))
    renderer.close()
    renderer.close()


def test_no_world_gives_no_picture(renderer: Callable[[str], TinyRenderer]) -> None:
    images = renderer("cube_on_table").render([], load_rig("cube_on_table").input_camera())
    assert images.rgb.shape == (0, 120, 160, 3)
    assert images.views == ()


RESIDENT = """
import re, sys
from calibration.kinematics import nominal_world
from calibration.rig_file import load_rig
from calibration.world import with_values
from envs.rendering.tiny import TinyRenderer
from sim2real.presets import load_preset, rig_spec
from sim2real.stream import SimulatedFrames

def resident():
    with open("/proc/self/status") as file:
        return int(re.search(r"VmRSS:\\s+(\\d+) kB", file.read()).group(1))

rig = load_rig("cube_on_table")
frames = SimulatedFrames(rig, rig_spec(rig, load_preset("wide")), 3, rig.input_camera().resized(40, 30))
"""
# Drawing the worlds takes most of the time, so the quick test draws 500 and then recolours them.
RENDER_AGAIN = """
worlds = [frames.world(k) for k in range(500)]
renderer = TinyRenderer(rig)
for turn in range(4):
    for world in worlds:
        renderer.render([with_values(world, {"bodies.table.rgb": (0.1 * turn, 0.5, 0.5)})], frames.camera)
    if turn == 0:
        before = resident()
print("grown", resident() - before)
"""
DRAW_ALL = """
for k in range(11_000):
    frames.draw([k])
    if k == 1000:
        before = resident()
print("grown", resident() - before)
"""


def growth_kb(printed: str) -> int:
    found = re.search(r"grown (-?\d+)", printed)
    assert found
    return int(found.group(1))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the resident size is read from /proc")
def test_memory_does_not_grow_over_1500_frames(run_python: Callable[..., str]) -> None:
    assert growth_kb(run_python(RESIDENT + RENDER_AGAIN)) < 5000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the resident size is read from /proc")
def test_memory_does_not_grow_over_10000_frames(run_python: Callable[..., str]) -> None:
    assert growth_kb(run_python(RESIDENT + DRAW_ALL)) < 5000
