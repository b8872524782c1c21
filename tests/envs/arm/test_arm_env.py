import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_sb3

from calibration.bodies import Workspace
from calibration.errors import InputError
from calibration.rig_file import load_rig
from envs.arm.env import ArmEnv
from envs.arm.settings import PhysicsSettings
from envs.registration import environment_table
from policies.scripted import make_expert

IDS = sorted(environment_table())


def rollout(env: ArmEnv, seed: int, steps: int = 20) -> list[Any]:
    rng = np.random.default_rng(0)
    seen = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        assert env.action_space.shape is not None
        seen.append(env.step(rng.uniform(-1, 1, env.action_space.shape))[0])
    return seen


def same(a: list[Any], b: list[Any]) -> bool:
    return all(np.array_equal(x[k], y[k]) for x, y in zip(a, b, strict=True) for k in x)


@pytest.mark.parametrize("name", IDS)
def test_the_checkers_have_nothing_to_say(name: str, recwarn: pytest.WarningsRecorder) -> None:
    env = gymnasium.make(name, render_mode="rgb_array").unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env)
        check_env_sb3(env)
    env.close()
    env.close()


@pytest.mark.parametrize("control", ["ee_displacement", "ee_pose", "joint_displacement", "joint_velocity"])
def test_every_control_moves_the_tool_and_keeps_it_in_the_workspace(control: Any) -> None:
    env = ArmEnv(task="Reach", control=control)
    assert env.rig.robot is not None
    assert env.rig.robot.workspace is not None
    box = np.array([env.rig.robot.workspace.x_m, env.rig.robot.workspace.y_m, env.rig.robot.workspace.z_m])
    env.reset(seed=0)
    began = env.tool_position()
    action = np.ones(env.controller.size)
    for _ in range(40):
        env.step(action)
    place = env.tool_position()
    assert np.linalg.norm(place - began) > 0.05
    # The motors may lag behind the limit by a little.
    assert (place > box[:, 0] - 0.02).all()
    assert (place < box[:, 1] + 0.02).all()
    env.close()


def test_the_same_seed_is_the_same_episode_in_a_new_and_in_a_used_environment() -> None:
    env, other = ArmEnv(task="Push"), ArmEnv(task="Push")
    first = rollout(env, 3)
    rollout(other, 8)
    assert same(first, rollout(other, 3))
    assert not same(first, rollout(other, 4))
    env.close()
    other.close()


def test_an_episode_is_repeated_from_its_seed_and_world() -> None:
    base = ArmEnv(task="Push")

    def worlds(rng: np.random.Generator) -> Any:
        bodies = tuple(
            dataclasses.replace(b, size_scale=float(rng.uniform(0.8, 1.2))) if b.name == "cube" else b
            for b in base.world.bodies
        )
        return dataclasses.replace(base.world, bodies=bodies)

    env = ArmEnv(task="Push", worlds=worlds)
    env.reset(seed=0)
    seen, info = env.reset()
    assert env.world.body("cube").size_scale != 1.0
    height = 0.025 * env.world.body("cube").size_scale
    assert seen["observation"][8] == pytest.approx(height, abs=1e-6)
    again, _ = base.reset(seed=info["seed"], options={"world": info["world"]})
    assert all(np.array_equal(seen[k], again[k]) for k in seen)
    env.close()
    base.close()


def test_a_saved_state_has_the_same_future() -> None:
    env = ArmEnv(task="Push")
    rollout(env, 1, 10)
    state = env.save_state()
    futures = []
    for _ in range(2):
        env.restore_state(state)
        futures.append([env.step(np.full(3, 0.5))[0] for _ in range(10)])
    assert same(*futures)
    env.remove_state(state)
    with pytest.raises(InputError, match=f"state must be one of none yet, got {state}"):
        env.restore_state(state)
    env.close()


def test_friction_brakes_a_cube_by_coulombs_law() -> None:
    env = ArmEnv(task="Push", physics=PhysicsSettings(timestep_s=0.002, residual=1e-7))
    env.reset(seed=0)
    p, client, cube = env.physics.pybullet, env.physics.client, env.physics.bodies["cube"]
    # Little enough that the cube slides and does not tip.
    p.changeDynamics(cube, -1, lateralFriction=0.3, physicsClientId=client)
    p.resetBaseVelocity(cube, [0.0, 0.5, 0.0], [0.0, 0.0, 0.0], physicsClientId=client)
    began = env.object_position("cube")
    env.physics.step(150)
    env.readings = env.sensors.read()
    way = float(np.linalg.norm(env.object_position("cube") - began))
    assert way == pytest.approx(0.5**2 / (2 * 0.3 * 9.81), rel=0.05)
    env.close()


def test_rewards_are_those_of_single_goals_over_any_leading_dimensions() -> None:
    env, rng = ArmEnv(task="Reach"), np.random.default_rng(0)
    achieved, desired = rng.uniform(-0.05, 0.05, (4, 5, 3)), rng.uniform(-0.05, 0.05, (4, 5, 3))
    for kind in ("sparse", "dense"):
        found = env.task.reward(kind, achieved, desired)
        one = [
            env.task.reward(kind, a, d) for a, d in zip(achieved.reshape(-1, 3), desired.reshape(-1, 3), strict=True)
        ]
        np.testing.assert_array_equal(found.reshape(-1), one)
    distance = np.linalg.norm(achieved - desired, axis=-1)
    np.testing.assert_array_equal(env.compute_reward(achieved, desired), np.where(distance < 0.05, 0.0, -1.0))
    env.close()


def test_one_sample_a_pixel_shows_the_same_scene_with_hard_edges() -> None:
    seen = {}
    for samples in (1, 4):
        env = ArmEnv(task="Push", observation="pixels", image_size_px=(96, 64), samples=samples)
        seen[samples] = env.reset(seed=3)[0]["image_main"].astype(int)
        env.close()
    change = np.abs(seen[1] - seen[4]).max(axis=2)
    # Pixels within a surface are the same, those on edges are not, and only those are mixed.
    assert 0.02 < (change > 16).mean() < 0.2
    assert np.median(change) <= 1
    colours = {samples: len(np.unique(image.reshape(-1, 3), axis=0)) for samples, image in seen.items()}
    assert colours[4] > colours[1]


def test_pixels_do_not_tell_where_the_object_is() -> None:
    env = ArmEnv(task="Push", observation="pixels", image_size_px=(96, 64))
    seen, _ = env.reset(seed=0)
    assert set(seen) == {"observation", "desired_goal", "image_main"}
    assert seen["image_main"].shape == (64, 96, 3)
    assert seen["observation"].shape == (6,)
    moved = env.reset(seed=1)[0]
    np.testing.assert_array_equal(seen["observation"], moved["observation"])
    assert not np.array_equal(seen["image_main"], moved["image_main"])
    env.close()


def test_a_scripted_grasp_lifts_and_holds_the_cube() -> None:
    env = ArmEnv(task="PickAndPlace")
    expert = make_expert(env)
    for seed in range(30):
        seen, _ = env.reset(seed=seed, options={"goal": [0.5, 0.0, 0.2]})
        for _ in range(50):
            seen, *_ = env.step(expert.predict(seen)[0])
        for _ in range(50):
            # Two seconds in the air.
            seen, *_ = env.step(np.array([0.0, 0.0, 0.0, -1.0]))
        assert env.object_position("cube")[2] > 0.12, seed
    env.close()


def rig_without_workspace() -> Any:
    rig = load_rig("panda_tabletop")
    assert rig.robot is not None
    return dataclasses.replace(rig, robot=dataclasses.replace(rig.robot, workspace=None))


def rig_with(**changes: Any) -> Any:
    rig = load_rig("panda_tabletop")
    assert rig.robot is not None
    return dataclasses.replace(rig, robot=dataclasses.replace(rig.robot, **changes))


FAR = Workspace((0.8, 1.6), (-0.4, 0.4), (0.0, 0.5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ArmEnv(task="Juggle"), "task must be one of Reach, Push, Slide, PickAndPlace, Stack, got 'Juggle'"),
        (lambda: ArmEnv(control="mind"), "control must be one of ee_displacement, .*, got 'mind'"),  # type: ignore[arg-type]
        (lambda: ArmEnv(samples=2), "samples of a pixel must be 1, 4, 9 or 16, got 2"),
        (lambda: ArmEnv(observation="smell"), "observation must be one of state, pixels, both, got 'smell'"),  # type: ignore[arg-type]
        (lambda: ArmEnv(reward="money"), "reward must be one of sparse, dense, got 'money'"),  # type: ignore[arg-type]
        (lambda: ArmEnv(control_hz=33.0), "control_hz must make a whole number of physics steps .*, got 33"),
        (lambda: ArmEnv(rig="cube_on_table"), r"tasks need \[robot.workspace\]"),
        (lambda: ArmEnv(rig=rig_without_workspace()), r"tasks need \[robot.workspace\]"),
        (
            lambda: ArmEnv(rig=rig_with(tool_link="hook")),
            "robot.tool_link must be a link of the URDF, got 'hook'",
        ),
        (lambda: ArmEnv(rig=rig_with(workspace=FAR)), "the task's region must be within reach, but the tool stays"),
        (lambda: ArmEnv(rig=rig_with(gripper=None), task="Stack"), r"this task needs \[robot.gripper\]"),
    ],
)
def test_a_bad_setting_says_what_is_wrong(make: Callable[[], ArmEnv], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros(4), r"action must have shape \(3,\), got \(4,\)"),
        (np.array([0.0, np.nan, 0.0]), "action must be finite"),
    ],
)
def test_a_bad_action_says_what_is_wrong(action: Any, message: str) -> None:
    env = ArmEnv(task="Reach")
    env.reset(seed=0)
    with pytest.raises(InputError, match=message):
        env.step(action)
    with pytest.raises(InputError, match="goal must have 3 numbers, got 2"):
        env.reset(options={"goal": [0.1, 0.2]})
    with pytest.raises(InputError, match="reset takes the options world and goal, got 'wind'"):
        env.reset(options={"wind": 1})
    env.close()
