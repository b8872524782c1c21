from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import SAC, HerReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

import envs  # noqa: F401 - registers the ids
from policies.learning.workers import ArmVecEnv


@pytest.mark.parametrize("workers", [0, 2])
def test_it_is_what_stable_baselines_makes_of_single_environments(workers: int) -> None:
    kwargs: dict[str, Any] = {"observation": "both", "image_size_px": (36, 36), "max_episode_steps": 4}
    theirs = DummyVecEnv([lambda: gymnasium.make("sim2real/PandaPush-v0", **kwargs)] * 3)
    ours = ArmVecEnv(3, workers, task="Push", **kwargs)
    assert ours.observation_space == theirs.observation_space
    for env in (theirs, ours):
        env.seed(11)
    one: Any = theirs.reset()
    two: Any = ours.reset()
    rng = np.random.default_rng(1)
    for _ in range(40):
        for name in one:
            np.testing.assert_array_equal(one[name], two[name])
        action = rng.uniform(-1, 1, (3, 3)).astype(np.float32)
        one, *first = theirs.step(action)
        two, *second = ours.step(action)
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])
        for a, b in zip(first[2], second[2], strict=True):
            assert a.keys() - {"seed"} == b.keys() - {"seed"}
            assert (a["is_success"], a["TimeLimit.truncated"]) == (b["is_success"], b["TimeLimit.truncated"])
            for name, value in a.get("terminal_observation", {}).items():
                np.testing.assert_array_equal(value, b["terminal_observation"][name])
    assert ours.get_attr("episode")[0] > 9, "an episode ended at the goal"
    theirs.close()
    ours.close()


def test_hindsight_learns_from_it() -> None:
    env = VecMonitor(ArmVecEnv(4, 2, task="Reach"))
    small: dict[str, Any] = {"learning_starts": 210, "policy_kwargs": {"net_arch": [8]}}
    model = SAC("MultiInputPolicy", env, replay_buffer_class=HerReplayBuffer, **small)
    model.learn(400)
    begun = env.get_attr("episode")
    assert sum(begun) == len(model.ep_info_buffer or ()) >= 8
    env.close()
