"""Several arm environments of one process that act together; their pictures are drawn in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.world import WorldParams
from envs.arm.env import ArmEnv
from envs.arm.eyes import Eyes
from envs.arm.task_world import Observation


class ArmGroup:
    """N environments with one renderer. Episodes begin and end together."""

    def __init__(self, make: Callable[[], ArmEnv], count: int, threads: int = 1) -> None:
        """Make the environments.

        Args:
            make: makes one of them; all must be alike.
            count: how many.
            threads: that draw.
        """
        self.envs = [make() for _ in range(count)]
        self._eyes = Eyes(self.envs[0].rig, threads=threads, samples=self.envs[0].eyes.samples)

    def begin(self, seeds: Sequence[int], look: bool = True) -> Observation:
        """Begin an episode in each and return the observations, each part (N, ...); empty without a look."""
        for env, seed in zip(self.envs, seeds, strict=True):
            env.begin(seed)
        return self.observe() if look else {}

    def step(self, actions: NDArray[Any], look: bool = True) -> Observation:
        """Act in each, (N, A), and return the observations; empty without a look."""
        for env, action in zip(self.envs, actions, strict=True):
            env.advance(action)
        return self.observe() if look else {}

    def observe(self, pictures: bool = True) -> Observation:
        """Return the observations, each part (N, ...), with or without pictures."""
        seen = [env.state_observation() for env in self.envs]
        batch = {name: np.stack([s[name] for s in seen]) for name in seen[0]}
        if pictures and self.envs[0].observation_kind != "state":
            worlds = [env.pictured_world() for env in self.envs]
            for name in self.envs[0].cameras:
                batch[f"image_{name}"] = self._eyes.draw(worlds, self.envs[0].image_size_px, name)
        return batch

    def labelled(self, worlds: Sequence[WorldParams] | None = None) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return pictures (N, H, W, 3) of the present states and where the landmarks are in them, (N, L, 2) pixels.

        Args:
            worlds: in which to draw them, in place of those of the episodes: other looks, light, camera and sensor.
        """
        given: Sequence[WorldParams | None] = [None] * len(self.envs) if worlds is None else worlds
        drawn = [env.scene_world(world) for env, world in zip(self.envs, given, strict=True)]
        pictures, views = self._eyes.look(drawn, self.envs[0].image_size_px)
        pixels = [view.project(env.landmarks()) for view, env in zip(views, self.envs, strict=True)]
        return pictures, np.array(pixels, np.float32)

    def true_observation(self) -> Observation:
        """Return what environments with observation "state" would have shown."""
        return {
            "observation": np.array([env.observer.vector(env.readings) for env in self.envs], np.float32),
            "achieved_goal": np.array([env.achieved_goal() for env in self.envs], np.float32),
            "desired_goal": np.array([env.goal for env in self.envs], np.float32),
        }

    def objects(self) -> NDArray[np.float32]:
        """Return where the objects are, (N, 3 O) metres."""
        return np.array([env.readings.body_poses[:, :3].reshape(-1) for env in self.envs], np.float32)

    def successes(self) -> NDArray[np.bool_]:
        """Return whether each is at its goal, (N,)."""
        return np.array([env.is_success() for env in self.envs])

    def close(self) -> None:
        """Close all; twice is fine."""
        self._eyes.close()
        for env in self.envs:
            env.close()
