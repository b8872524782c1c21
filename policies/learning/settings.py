"""Settings of each algorithm that work for each task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

Algorithm = Literal["ppo", "sac", "td3", "tqc"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
# Those that keep what happened and learn from it many times; only they can use hindsight.
OFF_POLICY: tuple[Algorithm, ...] = ("sac", "td3", "tqc")

# Reaching is learned by small networks in a few thousand steps.
_REACH: dict[str, Any] = {
    "learning_rate": 1e-3,
    "batch_size": 256,
    "gamma": 0.9,
    "tau": 0.05,
    "learning_starts": 500,
    "buffer_size": 100_000,
    "policy_kwargs": {"net_arch": [64, 64]},
}
# Objects need larger networks and a longer view; after rl-baselines3-zoo's settings for panda-gym's TQC.
_OBJECTS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "batch_size": 512,
    "gamma": 0.95,
    "tau": 0.05,
    "learning_starts": 1000,
    "buffer_size": 1_000_000,
    "policy_kwargs": {"net_arch": [256, 256, 256]},
}
# Torques of a pendulum: short steps, so a longer view.
_PENDULUM: dict[str, Any] = {
    "learning_rate": 1e-3,
    "batch_size": 256,
    "gamma": 0.98,
    "tau": 0.02,
    "learning_starts": 1000,
    "buffer_size": 200_000,
    "policy_kwargs": {"net_arch": [64, 64]},
}
_PPO: dict[str, Any] = {"n_steps": 1024, "batch_size": 256, "n_epochs": 10, "gamma": 0.95, "ent_coef": 0.0}


def settings_for(algorithm: Algorithm, task: str) -> Mapping[str, Any]:
    """Return constructor arguments of Stable-Baselines3's class for a task's name, such as "Reach"."""
    if algorithm == "ppo":
        return _PPO
    if task == "PendulumEnv":
        return _PENDULUM
    return _REACH if task == "Reach" else _OBJECTS
