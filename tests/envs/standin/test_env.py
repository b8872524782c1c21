import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import TimeLimit

from calibration.errors import InputError
from calibration.rig_file import parse_rig
from envs.arm.env import ArmEnv
from envs.registration import environment_table, register_envs
from envs.standin import Station
from envs.standin.env import HeldOutEnv, standin_env
from policies.evaluation import run_episodes
from policies.scripted import make_expert

# Of nothing but engine and renderer.
NEXT_TO_NOTHING = Station.planted(["noise"], 1e-9)


def rollout(env: HeldOutEnv, seed: int, steps: int = 15) -> list[Any]:
    rng = np.random.default_rng(0)
    seen = [env.reset(seed=seed)[0]]
    assert env.action_space.shape is not None
    seen += [env.step(rng.uniform(-1, 1, env.action_space.shape))[0] for _ in range(steps)]
    return seen


def same(a: list[Any], b: list[Any]) -> bool:
    return all(np.array_equal(x[k], y[k]) for x, y in zip(a, b, strict=True) for k in x)


@pytest.mark.parametrize("task", ["Reach", "Push", "PickAndPlace"])
def test_the_checker_has_nothing_to_say(task: str) -> None:
    env = gymnasium.make(f"sim2real/HeldOutPanda{task}-v0", station=3, difficulty="hard", render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=True)
    env.close()
    env.close()


def test_every_arm_environment_has_a_held_out_simulation_that_nothing_is_trained_in() -> None:
    register_envs()
    for name in environment_table():
        assert name.replace("/", "/HeldOut") in gymnasium.registry
        assert "HeldOut" not in name


def test_the_same_seed_is_the_same_episode_in_a_new_and_in_a_used_environment() -> None:
    env, other = (HeldOutEnv(task="Push", station=2, difficulty="hard") for _ in range(2))
    first = rollout(env, 3)
    rollout(other, 8)
    assert same(first, rollout(other, 3))
    assert not same(first, rollout(other, 4))
    assert not same(first, rollout(HeldOutEnv(task="Push", station=5, difficulty="hard"), 3))


def test_starts_goals_and_spaces_are_those_of_the_source() -> None:
    source, target = ArmEnv(task="PickAndPlace"), HeldOutEnv(task="PickAndPlace", station=NEXT_TO_NOTHING)
    assert source.observation_space == target.observation_space
    assert source.action_space == target.action_space
    for seed in range(3):
        ours, theirs = target.reset(seed=seed)[0], source.reset(seed=seed)[0]
        for name in ours:
            np.testing.assert_allclose(ours[name], theirs[name], atol=1e-5)
    source.close()


@pytest.mark.parametrize(("task", "least"), [("Reach", 10), ("Push", 8), ("PickAndPlace", 8)])
def test_experts_of_the_source_solve_a_station_that_is_next_to_nominal(task: str, least: int) -> None:
    env = standin_env(f"sim2real/Panda{task}-v0", NEXT_TO_NOTHING)
    assert sum(r.success for r in run_episodes(make_expert(env), env, list(range(10)))) >= least


@pytest.mark.slow
@pytest.mark.parametrize("task", ["Push", "PickAndPlace"])
def test_an_arm_by_path_with_light_joints_does_its_tasks_too(robots: Path, task: str) -> None:
    text = (Path(__file__).parents[1] / "arm" / "so101.toml").read_text()
    env = HeldOutEnv(parse_rig(text, "so101.toml", robots / "so101"), task, station=NEXT_TO_NOTHING)
    limited = TimeLimit(env, 50)
    # 14 of 15 each; motors without rotors get 2 to 4.
    assert sum(r.success for r in run_episodes(make_expert(limited), limited, list(range(15)))) >= 11


def test_a_scripted_grasp_lifts_and_holds_the_cube() -> None:
    env = HeldOutEnv(task="PickAndPlace", station=NEXT_TO_NOTHING)
    expert = make_expert(env)
    for seed in range(5):
        seen, _ = env.reset(seed=seed, options={"goal": [0.5, 0.0, 0.2]})
        for _ in range(50):
            seen, *_ = env.step(expert.predict(seen)[0])
        for _ in range(50):
            # Two seconds in the air.
            seen, *_ = env.step(np.array([0.0, 0.0, 0.0, -1.0]))
        assert env.object_position("cube")[2] > 0.12, seed


def test_a_delay_of_the_station_makes_the_arm_late() -> None:
    places = []
    for station in (NEXT_TO_NOTHING, Station.planted(["delay"], 1.0)):
        env = HeldOutEnv(task="Reach", station=station)
        env.reset(seed=0)
        env.step(np.array([1.0, 0.0, 0.0]))
        places.append(env.tool_position()[0])
    assert places[0] > places[1] + 0.005


def test_pixels_are_of_tinyrenderer_with_the_stations_camera_and_the_same_for_the_same_seed() -> None:
    def pictures(station: Station, seed: int = 1) -> Any:
        env = HeldOutEnv(task="Push", station=station, observation="pixels", image_size_px=(64, 48))
        seen = env.reset(seed=seed)[0]["image_main"].astype(float)
        env.close()
        return seen

    plain = pictures(NEXT_TO_NOTHING)
    np.testing.assert_array_equal(plain, pictures(NEXT_TO_NOTHING))
    # The edge of the table moves with the camera.
    assert np.abs(pictures(Station.planted(["camera tilt"], 1.0)) - plain).mean() > 2.0
    assert np.abs(pictures(Station.planted(["light"], 1.0)) - plain).mean() > 2.0
    # What only moves is not seen at the beginning.
    np.testing.assert_array_equal(pictures(Station.planted(["mass"], 1.0)), plain)


def test_every_output_is_named_held_out_simulation() -> None:
    env = HeldOutEnv(task="Reach", station=4)
    infos = [env.reset(seed=0)[1], env.step(np.zeros(3))[4]]
    assert [info["simulation"] for info in infos] == ["held-out simulation 4 (mild)"] * 2
    assert "camera tilt" in env.hidden()


def test_settings_of_the_station_are_its_own() -> None:
    with pytest.raises(InputError, match="renderer of a held-out simulation are its station's own"):
        HeldOutEnv(renderer="cpu")
    with pytest.raises(InputError, match=r"a held-out simulation is there for .*, got 'CartPole-v1'"):
        standin_env("CartPole-v1")
