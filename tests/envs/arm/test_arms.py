from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit

from calibration.rig import Rig
from calibration.rig_file import parse_rig
from envs.arm.env import ArmEnv
from policies.evaluation import run_episodes
from policies.scripted import make_expert
from sim2real.environments import make_environment


@pytest.fixture(scope="module")
def so101(robots: Path) -> Rig:
    text = (Path(__file__).parent / "so101.toml").read_text()
    return parse_rig(text, "so101.toml", robots / "so101")


def solved(env: Any, episodes: int) -> int:
    count = sum(r.success for r in run_episodes(make_expert(env), env, list(range(episodes))))
    env.close()
    return count


# Of ten episodes; the experts' rates over many are in docs/environments.md.
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("KukaReach-v0", 10),
        ("KukaPush-v0", 7),
        ("KukaPickAndPlace-v0", 7),
        ("XArmReach-v0", 10),
        ("XArmPush-v0", 8),
        ("XArmPickAndPlace-v0", 7),
        ("XArmStack-v0", 7),
    ],
)
def test_experts_solve_tasks_with_other_arms(name: str, least: int) -> None:
    assert solved(make_environment(name), 10) >= least


@pytest.mark.parametrize(("task", "least"), [("Reach", 10), ("Push", 8), ("PickAndPlace", 4)])
def test_an_arm_of_five_joints_by_path_does_the_tasks(so101: Rig, task: str, least: int) -> None:
    assert solved(TimeLimit(ArmEnv(so101, task), 50), 10) >= least


def test_a_tool_of_five_joints_keeps_its_tilt_and_its_turn_wherever_it_goes(so101: Rig) -> None:
    env = ArmEnv(so101, "Reach")
    arm = env.kinematics
    assert arm.approach_only
    start = env.controller._rest
    _, wanted = arm.pose(start)
    rng = np.random.default_rng(0)
    for _ in range(50):
        place = rng.uniform([0.15, -0.1, 0.01], [0.28, 0.1, 0.1])
        position, rotation = arm.pose(arm.reach(start, place, wanted, start, 100))
        np.testing.assert_allclose(position, place, atol=2e-3)
        assert np.degrees(np.arcsin(rotation[2, 2]) - np.arcsin(wanted[2, 2])) == pytest.approx(0.0, abs=2.0)
        # The line between the jaws stays across, though the arm turns about its base.
        assert abs(rotation[:, 0] @ wanted[:, 0]) > np.cos(np.radians(15.0))
    env.close()


def test_the_width_of_a_gripper_is_in_metres_for_turning_jaws_too(so101: Rig) -> None:
    for rig, width in ((so101, 0.049), ("panda_tabletop", 0.08), ("xarm_tabletop", 0.085), ("kuka_tabletop", 0.08)):
        env = ArmEnv(rig, "PickAndPlace")
        seen, _ = env.reset(seed=0)
        assert env.gripper_width() == pytest.approx(width, rel=1e-3)
        assert seen["observation"][6] == pytest.approx(width, rel=1e-3)
        for _ in range(30):
            env.step(np.array([0.0, 0.0, 0.0, -1.0]))
        assert env.gripper_width() == pytest.approx(0.0, abs=0.004)
        env.close()


def test_done_is_nearer_in_a_smaller_region(so101: Rig) -> None:
    env, large = ArmEnv(so101, "Push"), ArmEnv(task="Push")
    assert large.task.threshold_m == 0.05
    assert env.task.threshold_m == pytest.approx(0.05 * 0.06 / 0.15)
    env.close()
    large.close()
