import gymnasium
import numpy as np
import pytest

import envs  # noqa: F401 - registers the ids
from calibration.errors import InputError
from envs.arm.env import ArmEnv
from policies.scripted import make_expert


@pytest.mark.parametrize(
    ("task", "least"), [("Reach", 20), ("Push", 18), ("Slide", 2), ("PickAndPlace", 19), ("Stack", 17)]
)
def test_the_expert_succeeds_by_the_end_of_the_episode(task: str, least: int) -> None:
    env = gymnasium.make(f"sim2real/Panda{task}-v0")
    expert, solved = make_expert(env), 0
    for seed in range(100, 120):
        seen, _ = env.reset(seed=seed)
        over = False
        while not over:
            seen, _, terminated, truncated, info = env.step(expert.predict(seen)[0])
            over = terminated or truncated
        solved += info["is_success"]
    env.close()
    assert solved >= least


def test_a_batch_of_observations_gets_the_actions_of_each() -> None:
    env = ArmEnv(task="Push")
    expert = make_expert(env)
    seen = [env.reset(seed=k)[0] for k in range(4)]
    batch = {name: np.stack([s[name] for s in seen]) for name in seen[0]}
    np.testing.assert_array_equal(expert.predict(batch)[0], [expert.predict(s)[0] for s in seen])
    env.close()


def test_an_expert_needs_the_control_that_it_was_written_for() -> None:
    env = ArmEnv(task="Push", control="joint_velocity")
    with pytest.raises(InputError, match="experts need control 'ee_displacement', got 'joint_velocity'"):
        make_expert(env)
    env.close()
