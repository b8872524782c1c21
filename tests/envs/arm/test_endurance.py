"""Long runs: nothing grows and nothing stays open."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.vector.env import ArmVectorEnv
from sim2real.environments import make_environment

RESETS, STEPS = 10_000, 1_000_000


def resident_mb(pid: int) -> float:
    """Return the memory of a process that is in use, MB."""
    lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def handles(pid: int) -> int:
    return len(list((Path("/proc") / str(pid) / "fd").iterdir()))


@pytest.mark.slow
def test_ten_thousand_resets_of_drawn_worlds_do_not_grow() -> None:
    env: Any = make_environment("PandaPush-v0", randomization="wide+dynamics")
    for seed in range(300):
        env.reset(seed=seed)
    before, opened = resident_mb(os.getpid()), handles(os.getpid())
    for seed in range(RESETS):
        env.reset(seed=300 + seed)
    assert resident_mb(os.getpid()) < 1.01 * before
    assert handles(os.getpid()) == opened
    env.close()


@pytest.mark.slow
def test_a_million_steps_of_a_worker_do_not_grow() -> None:
    # The first one starts what Python keeps: the process that watches over shared memory.
    ArmVectorEnv(1, workers=1, task="Push").close()
    opened = handles(os.getpid())
    env = ArmVectorEnv(1, workers=1, task="Push")
    actions = np.random.default_rng(0).uniform(-1, 1, (997, 1, 3)).astype(np.float32)
    env.reset(seed=0)
    worker = env._processes[0].pid
    for k in range(STEPS // 100):
        env.step(actions[k % 997])
    before, own = resident_mb(worker), handles(worker)
    for k in range(STEPS):
        env.step(actions[k % 997])
    assert resident_mb(worker) < 1.01 * before
    assert resident_mb(worker) < 350
    assert handles(worker) == own
    env.close()
    assert handles(os.getpid()) == opened


def test_a_closed_environment_leaves_no_handle() -> None:
    opened = []
    for _ in range(4):
        env: Any = make_environment("PandaReach-v0", observation="pixels")
        env.reset(seed=0)
        env.close()
        vector = ArmVectorEnv(2, workers=2, task="Reach")
        vector.close()
        del vector
        opened.append(handles(os.getpid()))
    # The first ones start what Python keeps: the process that watches over shared memory.
    assert len(set(opened[1:])) == 1, opened
