import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from calibration.errors import InputError
from policies.evaluation import run_episodes, success_rate
from policies.learning.interruption import first_episode, states
from policies.learning.ramp import strength_at
from policies.saved import load_policy
from sim2real.environments import make_environment
from sim2real.policy_configs import TrainConfig
from sim2real.train import train

CONFIG = TrainConfig(
    "sim2real/PandaReach-v0", Path("unset"), steps=900, evaluate_every=10_000, episodes=3, save_every=100
)


def replay(run: Path) -> Any:
    """Return what the replay buffer of the last state of a run holds."""
    from stable_baselines3.common.save_util import load_from_pkl

    buffer = load_from_pkl(states(run / "checkpoints")[-1] / "replay_buffer.pkl")
    kept = {name: buffer.observations[name][: buffer.pos] for name in buffer.observations}
    return buffer.pos, {**kept, "actions": buffer.actions[: buffer.pos], "rewards": buffer.rewards[: buffer.pos]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(replace(CONFIG, out=tmp_path_factory.mktemp("train") / "whole"))


def test_training_that_is_killed_and_resumed_is_the_same(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    words = ["--env", CONFIG.env, "--out", str(out), "--steps", "900", "--evaluate-every", "10000"]
    words += ["--episodes", "3", "--save-every", "100"]
    command = [sys.executable, "-m", "sim2real.cli", "train", *words]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not [p for p in states(out / "checkpoints") if int(p.name.removeprefix("step_")) >= 600]:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "finished.json").exists()
    train(replace(CONFIG, out=out, resume=True))
    (count, kept), (again, found) = replay(whole), replay(out)
    assert count == again == 900
    for name in kept:
        np.testing.assert_array_equal(kept[name], found[name])
    one, two = load_policy(whole).state_dict(), load_policy(out).state_dict()
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_a_loaded_policy_acts_the_same_to_the_bit(whole: Path) -> None:
    from stable_baselines3 import SAC

    env = make_environment("PandaReach-v0")
    policy = load_policy(whole, env)
    model = SAC.load(states(whole / "checkpoints")[-1] / "model.zip", env=env)
    for seed in range(5):
        seen, _ = env.reset(seed=seed)
        one, two = (policy.predict(seen, deterministic=True)[0], model.predict(seen, deterministic=True)[0])
        np.testing.assert_array_equal(one, two)
    env.close()


def test_the_log_says_how_often_the_goal_was_reached(whole: Path) -> None:
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 900
    assert lines[-1]["success"]["episodes"] == 3
    assert list((whole / "tensorboard").glob("events.*"))


def test_the_best_of_the_evaluated_policies_can_be_kept(tmp_path: Path) -> None:
    config = replace(CONFIG, keep="best", steps=720, evaluate_every=240, episodes=10, reward="dense", hindsight=False)
    run = train(replace(config, out=tmp_path / "best"))
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [240, 480, 720]
    wanted = max(log, key=lambda row: (row["success"]["value"], row["return"]))["step"]
    finished = json.loads((run / "finished.json").read_text())
    assert (finished["steps"], finished["kept_step"]) == (720, wanted)
    # Training that ends there has the same weights.
    until = train(replace(config, keep="last", steps=wanted, evaluate_every=10_000, out=tmp_path / "until"))
    one, two = load_policy(run).state_dict(), load_policy(until).state_dict()
    assert all(torch.equal(one[k], two[k]) for k in one)
    # The score is of episodes that did not choose it.
    env = make_environment(CONFIG.env, reward="dense")
    again = run_episodes(load_policy(run), env, [1_000_010 + k for k in range(10)])
    assert finished["success"]["value"] == sum(r.success for r in again) / 10
    env.close()


def test_a_policy_is_not_put_into_another_environment(whole: Path) -> None:
    env = make_environment("PandaPush-v0")
    with pytest.raises(InputError, match=r"was trained with the observations Dict\(.*; the environment has Dict\("):
        load_policy(whole, env)
    env.close()


@pytest.mark.parametrize("algorithm", ["ppo", "td3", "tqc"])
def test_every_algorithm_learns_and_is_kept(algorithm: Any, tmp_path: Path) -> None:
    run = train(replace(CONFIG, algo=algorithm, steps=300, save_every=100, out=tmp_path / "run", envs=2, videos=1))
    env = make_environment("PandaReach-v0")
    assert len(run_episodes(load_policy(run, env), env, [1, 2])) == 2
    env.close()
    video = cv2.VideoCapture(str(run / "videos" / "episode_000.mp4"))
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (640, 480)
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 50
    video.release()


def test_training_with_workers_goes_on_after_an_interruption(tmp_path: Path) -> None:
    config = replace(CONFIG, algo="ppo", envs=2, workers=2, steps=2048, save_every=1, out=tmp_path / "run")
    train(config)
    assert first_episode(tmp_path / "run" / "checkpoints") >= 20
    (tmp_path / "run" / "finished.json").unlink()
    train(replace(config, resume=True))
    assert json.loads((tmp_path / "run" / "finished.json").read_text())["steps"] == 2048


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"env": "PandaReech-v0"}, "env must be a registered id, got 'PandaReech-v0'; nearest: sim2real/PandaReach-v0"),
        ({"env": "CartPole-v1", "rig": "x"}, "rig: only the arm environments of sim2real have this, got 'CartPole-v1'"),
        ({"env": "CartPole-v1", "algo": "ppo"}, r"policies of Box spaces can be kept, got Discrete\(2\)"),
        ({"demonstrations": 5, "algo": "ppo"}, "--demonstrations needs sac, td3 or tqc"),
        ({"ramp": 0.5}, "--ramp must be 0 to 1, and needs --randomization, got 0.5"),
        ({"steps": 0}, "--steps must be 1 or more, got 0"),
        ({"randomization": "wilde"}, "wilde"),
    ],
)
def test_a_bad_setting_says_what_is_wrong(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        train(replace(CONFIG, out=tmp_path / "run", **change))


@pytest.mark.slow
def test_randomization_grows_and_goes_on_growing_after_an_interruption(tmp_path: Path) -> None:
    assert [strength_at(k, 100, 0.5) for k in (0, 1, 25, 49, 50, 99)] == [0.0, 0.02, 0.5, 0.98, 1.0, 1.0]
    assert strength_at(0, 100, 0.0) == 1.0
    config = replace(CONFIG, steps=400, save_every=50, randomization="dynamics", ramp=1.0)
    whole, cut = replace(config, out=tmp_path / "whole"), replace(config, out=tmp_path / "cut")
    train(whole)
    command = [sys.executable, "-m", "sim2real.cli", "train", "--env", CONFIG.env, "--out", str(cut.out)]
    words = "--steps 400 --evaluate-every 10000 --episodes 3 --save-every 50 --randomization dynamics --ramp 1.0"
    process = subprocess.Popen([*command, *words.split()], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not [p for p in states(cut.out / "checkpoints") if int(p.name.removeprefix("step_")) >= 150]:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    train(replace(cut, resume=True))
    one, two = replay(whole.out)[1], replay(cut.out)[1]
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_demonstrations_are_in_the_replay_buffer_before_anything_is_tried(tmp_path: Path) -> None:
    run = train(
        replace(CONFIG, env="PandaPush-v0", demonstrations=5, steps=60, save_every=10_000, out=tmp_path / "run")
    )
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert lines[0] == {"step": 0, "demonstrations": 5, "success_of_expert": 1.0}
    _, kept = replay(run)
    # An episode ends where the goal is reached; what is tried comes after all five.
    assert (kept["rewards"] == 0.0).sum() >= 5
    assert len(kept["rewards"]) > 60 + 5 * 10


def test_worlds_of_no_strength_are_nominal() -> None:
    env = make_environment("PandaPush-v0", randomization="wide+dynamics").unwrapped
    env.set_strength(0.0)
    world = env.reset(seed=1)[1]["world"]
    nominal = env.task.nominal_world()
    assert (world.light, world.motors, world.actuation) == (nominal.light, nominal.motors, nominal.actuation)
    env.close()
    env = make_environment("PandaPush-v0").unwrapped
    with pytest.raises(InputError, match="strength is of worlds that are drawn from a preset"):
        env.set_strength(0.5)
    env.close()


def test_worlds_of_a_preset_vary_with_the_episode_and_repeat_with_the_seed() -> None:
    env = make_environment("PandaPush-v0", randomization="wide", observation="both")
    first, info = env.reset(seed=1)
    _, other = env.reset(seed=2)
    again, same = env.reset(seed=1)
    assert info["world"] == same["world"]
    assert info["world"].light != other["world"].light
    np.testing.assert_array_equal(first["image_main"], again["image_main"])
    env.close()


def test_the_interval_of_a_rate_is_wilsons() -> None:
    # Brown, Cai & DasGupta 2001: 0 of n gives [0, z^2 / (n + z^2)].
    z = 1.959963984540054
    assert success_rate(0, 10).high == pytest.approx(z**2 / (10 + z**2))
    assert success_rate(10, 10).low == pytest.approx(10 / (10 + z**2))
    rate = success_rate(5, 10)
    assert rate.low + rate.high == pytest.approx(1.0)
    with pytest.raises(ValueError, match="got 11 of 10"):
        success_rate(11, 10)
