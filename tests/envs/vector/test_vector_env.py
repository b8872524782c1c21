import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import envs  # noqa: F401 - registers the ids
from calibration.errors import InputError
from envs.vector.env import ArmVectorEnv


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def two_workers() -> Iterator[ArmVectorEnv]:
    env = ArmVectorEnv(3, workers=2, rig="panda_tabletop", task="Push", observation="both", image_size_px=(24, 32))
    yield env
    env.close()


def same(one: Any, two: Any, where: str = "") -> None:
    """Assert that two nests of dicts and arrays are equal."""
    if isinstance(one, dict):
        assert set(one) == set(two), where
        for key in one:
            same(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, np.ndarray) and one.dtype == object:
        for k, (a, b) in enumerate(zip(one, two, strict=True)):
            same(a, b, f"{where}[{k}]")
    else:
        np.testing.assert_array_equal(one, two, err_msg=where)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("workers", [0, 2])
def test_it_is_what_gymnasium_makes_of_single_environments(mode: AutoresetMode, workers: int) -> None:
    kwargs: dict[str, Any] = {"observation": "both", "image_size_px": (20, 16), "max_episode_steps": 4}
    theirs = SyncVectorEnv([lambda: gymnasium.make("sim2real/PandaPush-v0", **kwargs)] * 3, autoreset_mode=mode)
    ours = ArmVectorEnv(3, workers=workers, task="Push", autoreset_mode=mode, **kwargs)
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    one, two = theirs.reset(seed=7), ours.reset(seed=7)
    same(one[0], two[0])
    same(one[1], two[1])
    rng = np.random.default_rng(0)
    for step in range(30):
        action = rng.uniform(-1, 1, (3, 3)).astype(np.float32)
        a, b = theirs.step(action), ours.step(action)
        for k in range(4):
            same(a[k], b[k], f"step {step}")
        if mode is AutoresetMode.SAME_STEP and "final_obs" in a[4]:
            same(a[4]["final_obs"], b[4]["final_obs"])
            same(a[4]["_final_obs"], b[4]["_final_obs"])
            same(a[4]["final_info"], b[4]["final_info"])
        same(a[4]["is_success"], b[4]["is_success"])
    theirs.close()
    ours.close()


def test_make_vec_gives_it_and_keeps_the_limit_of_steps() -> None:
    env: Any = gymnasium.make_vec("sim2real/PandaReach-v0", num_envs=2, workers=0)
    assert isinstance(env.unwrapped, ArmVectorEnv)
    env.reset(seed=0)
    for _ in range(50):
        _, _, terminated, truncated, _ = env.step(np.zeros((2, 3), np.float32))
    assert truncated.all()
    assert not terminated.any()
    env.close()


def test_some_environments_can_be_reset_alone(two_workers: ArmVectorEnv) -> None:
    before, _ = two_workers.reset(seed=3)
    after, info = two_workers.reset(seed=[9, 9, 4], options={"reset_mask": np.array([False, False, True])})
    np.testing.assert_array_equal(before["desired_goal"][:2], after["desired_goal"][:2])
    np.testing.assert_array_equal(before["desired_goal"][1], after["desired_goal"][2])
    assert info["_seed"].tolist() == [False, False, True]


def test_attributes_and_methods_are_reached_in_order(two_workers: ArmVectorEnv) -> None:
    two_workers.reset(seed=[5, 6, 7])
    assert two_workers.get_attr("episode_seed") == (5, 6, 7)
    assert two_workers.call("true_state", indices=[2, 0])[0].shape == two_workers.call("true_state_space")[0].shape
    two_workers.set_attr("reward_kind", "dense", [1])
    rewards = two_workers.step(np.zeros((3, 3), np.float32))[1]
    two_workers.set_attr("reward_kind", "sparse", [1])
    assert rewards[0] == -1.0
    assert -1.0 < rewards[1] < 0.0


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((2, 3)), r"actions must have shape \(3, 3\), got \(2, 3\)"),
        (np.array([[0, 0, 0], [0, np.nan, 0], [0, 0, 0]]), r"actions must be finite, got \[0.0, nan, 0.0\]"),
    ],
)
def test_wrong_actions_lose_nothing(two_workers: ArmVectorEnv, actions: Any, message: str) -> None:
    two_workers.reset(seed=0)
    with pytest.raises(InputError, match=message):
        two_workers.step(actions)
    with pytest.raises(InputError, match="goal must have 3 numbers, got 2"):
        ArmVectorEnv(1, workers=0, task="Push").reset(options={"goal": [0.0, 0.0]})
    two_workers.step(np.zeros((3, 3), np.float32))


def test_an_error_in_a_worker_is_one_line_here() -> None:
    with pytest.raises(InputError, match="rig must be a TOML file or one of"):
        ArmVectorEnv(2, workers=2, rig="no_such_rig", task="Push")
    env = ArmVectorEnv(2, workers=2, task="Push")
    with pytest.raises(InputError, match="goal must have 3 numbers, got 2"):
        env.reset(options={"goal": [0.0, 0.0]})
    assert env.reset(seed=0)[0]["observation"].shape[0] == 2
    env.close()
    env.close()


def test_a_worker_that_is_killed_is_noticed() -> None:
    env = ArmVectorEnv(2, workers=2, task="Reach")
    env.reset(seed=0)
    victim = env._processes[1].pid
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="worker 1 of 2 ended, exit code -9"):
        env.step(np.zeros((2, 3), np.float32))
    workers = [p.pid for p in env._processes]
    env.close()
    assert not any(alive(pid) for pid in workers)


SCRIPT = """
import signal, sys, numpy as np
from envs.vector.env import ArmVectorEnv
if __name__ == "__main__":
    # A shell's background jobs ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    env = ArmVectorEnv(2, workers=2, task="Reach")
    env.reset(seed=0)
    print(*[p.pid for p in env._processes], flush=True)
    while True:
        env.step(np.zeros((2, 3), np.float32))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_when_the_first_one_is_stopped(how: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, text=True
    )
    assert process.stdout is not None
    workers = [int(word) for word in process.stdout.readline().split()]
    assert len(workers) == 2
    assert all(alive(pid) for pid in workers)
    if how is signal.SIGINT:
        os.killpg(process.pid, how)  # As a terminal does.
    else:
        os.kill(process.pid, how)
    try:
        process.communicate(timeout=30)
    finally:
        process.kill()
    until = time.monotonic() + 10
    while any(alive(pid) for pid in workers) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in workers)
