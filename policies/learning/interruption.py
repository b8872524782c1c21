"""States from which interrupted training goes on: model, replay buffer, random generators, episode number."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from policies.learning.models import algorithm_class

_STEP = "step_"


def save_state(folder: Path, model: Any, episode: int) -> None:
    """Write a state of one's own run; it appears whole or not at all, and older ones go.

    It holds pickles, so it is for resuming this run and nothing else; policies are kept as safetensors.
    """
    name = f"{_STEP}{model.num_timesteps:010d}"
    part = folder / f"{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    model.save(part / "model.zip")
    if getattr(model, "replay_buffer", None) is not None:
        model.save_replay_buffer(part / "replay_buffer.pkl")
    actions = model.action_space.np_random.bit_generator.state
    generators = (random.getstate(), np.random.get_state(), torch.get_rng_state(), actions)  # noqa: NPY002 - SB3's own
    torch.save({"generators": generators, "episode": episode}, part / "generators.pt")
    for path in part.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    shutil.rmtree(folder / name, ignore_errors=True)
    part.rename(folder / name)
    for old in states(folder)[:-1]:
        shutil.rmtree(old)


def states(folder: Path) -> list[Path]:
    """Return the complete states in a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.name.startswith(_STEP) and p.suffix != ".part")


def first_episode(folder: Path) -> int:
    """Return the number of the episode that follows the newest state, 0 without one."""
    found = states(folder)
    if not found:
        return 0
    return int(torch.load(found[-1] / "generators.pt", weights_only=False)["episode"])


def load_state(folder: Path, algorithm: str, env: VecEnv, device: str, log: Path | None) -> Any:
    """Return the model of the newest state with everything that `save_state` kept, or None without one."""
    found = states(folder)
    if not found:
        return None
    where = None if log is None else str(log)
    model = algorithm_class(algorithm).load(found[-1] / "model.zip", env=env, device=device, tensorboard_log=where)
    if (found[-1] / "replay_buffer.pkl").is_file():
        model.load_replay_buffer(found[-1] / "replay_buffer.pkl", truncate_last_traj=True)
    kept = torch.load(found[-1] / "generators.pt", weights_only=False)
    python, numpy, own, actions = kept["generators"]
    random.setstate(python)
    np.random.set_state(numpy)  # noqa: NPY002 - Stable-Baselines3 draws from it
    torch.set_rng_state(own)
    model.action_space.np_random.bit_generator.state = actions
    return model


class SaveStates(BaseCallback):
    """Saves a state every so many steps, at the end of an episode where that is possible.

    With one environment and an off-policy algorithm a state lies between two episodes, and training that goes on from
    it is the same to the bit as training that was not interrupted. With several, or with PPO, episodes that were going
    on begin anew.
    """

    def __init__(self, folder: Path, every: int) -> None:
        """Keep where and how often."""
        super().__init__()
        self._folder, self._every = folder, every
        self._due = 0
        self._between = False

    def _on_training_start(self) -> None:
        self._due = self.num_timesteps + self._every

    def _on_step(self) -> bool:
        dones = self.locals.get("dones")
        self._between = dones is not None and bool(np.all(dones))
        return True

    def _on_rollout_start(self) -> None:
        # Before the first step of a rollout everything of the last one is stored and learned from.
        single = self.training_env.num_envs == 1 and getattr(self.model, "replay_buffer", None) is not None
        if self.num_timesteps >= self._due and (self._between or not single):
            save_state(self._folder, self.model, max(self.training_env.get_attr("episode")))
            self._due = self.num_timesteps + self._every
