from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from calibration.errors import InputError
from calibration.rig import MountedCamera
from calibration.rig_file import load_rig
from calibration.view import CameraView
from calibration.world import with_values
from envs.arm.env import ArmEnv
from envs.arm.eyes import seen_from
from envs.arm.group import ArmGroup
from envs.vector.env import ArmVectorEnv
from sim2real.environments import make_environment


@pytest.fixture(scope="module")
def env() -> Iterator[ArmEnv]:
    made = ArmEnv(task="Push", observation="both", cameras=("main", "wrist"), image_size_px=(64, 48))
    yield made
    made.close()


def test_a_camera_on_the_hand_sees_the_tool_always_in_one_place(env: ArmEnv) -> None:
    env.reset(seed=0)
    rng, pixels, places = np.random.default_rng(0), [], []
    for _ in range(20):
        env.step(rng.uniform(-1, 1, 3))
        world = seen_from(env.rig, env.scene_world(), "wrist")
        intrinsics = env.rig.camera_named("wrist").intrinsics()
        view = CameraView(intrinsics, CameraView.of(env.rig).world_from_camera).moved(world.camera)
        pixels.append(view.project(env.tool_position())[0])
        places.append(view.world_from_camera.position_m)
    assert np.ptp(places, axis=0).max() > 0.05
    np.testing.assert_allclose(np.ptp(pixels, axis=0), 0.0, atol=0.01)
    assert 0 < pixels[0][0] < 320
    assert 0 < pixels[0][1] < 240


def test_its_pictures_show_the_cube_when_the_hand_is_over_it(env: ArmEnv) -> None:
    seen, _ = env.reset(seed=0)
    for _ in range(8):
        way = np.add(env.object_position("cube"), (0.0, 0.0, 0.12)) - env.tool_position()
        seen = env.step(np.clip(way / 0.05, -1, 1))[0]
    red = seen["image_wrist"].astype(int)
    assert (red[..., 0] - red[..., 1:].max(axis=2) > 60).sum() > 100
    assert seen["image_main"].shape == seen["image_wrist"].shape == (48, 64, 3)


def test_a_mount_that_is_off_moves_the_camera_and_nothing_else(env: ArmEnv) -> None:
    first, _ = env.reset(seed=1)
    world = with_values(env.task.nominal_world(), {"mounts.wrist.shift_m": (0.01, 0.0, 0.0)})
    other, _ = env.reset(seed=1, options={"world": world})
    np.testing.assert_array_equal(first["image_main"], other["image_main"])
    assert not np.array_equal(first["image_wrist"], other["image_wrist"])
    nominal = seen_from(env.rig, env.task.nominal_world(), "wrist")
    moved = seen_from(env.rig, world, "wrist")
    assert np.linalg.norm(np.subtract(moved.camera.shift_m, nominal.camera.shift_m)) == pytest.approx(0.01)


def test_presets_vary_the_mount_as_well_as_it_is_known() -> None:
    env = make_environment("PandaReach-v0", randomization="wide").unwrapped
    shifts = [env.reset(seed=k)[1]["world"].mounts[0].shift_m for k in range(60)]
    assert np.std(shifts) == pytest.approx(0.003, rel=0.25)
    env.close()


def test_all_ways_to_run_environments_have_all_cameras(env: ArmEnv) -> None:
    kwargs = {"task": "Push", "observation": "both", "cameras": ("main", "wrist"), "image_size_px": (64, 48)}
    one, _ = env.reset(seed=3)
    group = ArmGroup(lambda: ArmEnv(**kwargs), 1)  # type: ignore[arg-type]
    vector = ArmVectorEnv(1, workers=1, **kwargs)
    for other in (group.begin([3]), vector.reset(seed=3)[0]):
        np.testing.assert_array_equal(one["image_wrist"], other["image_wrist"][0])
        np.testing.assert_array_equal(one["image_main"], other["image_main"][0])
    group.close()
    vector.close()


def test_a_camera_that_is_not_there_is_said() -> None:
    with pytest.raises(InputError, match=r"cameras must be different ones of main, wrist, got \['hand'\]"):
        ArmEnv(task="Reach", cameras=["hand"])
    rig = load_rig("panda_tabletop")
    with pytest.raises(ValueError, match="a camera needs a name of its own"):
        MountedCamera((64, 48), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), focal_px=(50.0, 50.0), name="main")
    assert replace(rig, cameras=()).camera_named("main") is rig.camera
