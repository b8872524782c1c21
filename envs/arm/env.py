"""Arm tasks as a Gymnasium environment: goals, seeds, pixels, drawn worlds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.rig import Rig
from envs.arm.control import Control
from envs.arm.eyes import Eyes
from envs.arm.screen import has_screen, picture_with_goals, show
from envs.arm.settings import PhysicsSettings
from envs.arm.task_world import LARGEST, Observation, ObservationKind, TaskWorld, WorldSource
from envs.registration import DEFAULT_RIG
from envs.rendering.choice import RendererName, check_samples
from envs.tasks import Reward


class ArmEnv(TaskWorld, gymnasium.Env[Observation, NDArray[np.float32]]):
    """An arm of a rig with a task, as a Gymnasium environment.

    Observations are dicts as in panda-gym: `observation`, `achieved_goal`, `desired_goal`; with pixels also one
    `image_CAMERA`, uint8 (H, W, 3), for each camera. With observation "pixels", `observation` holds only what the robot
    knows by itself, and `achieved_goal`, which tells where the object is, is left out.

    An episode follows from `info["seed"]` and `info["world"]`: `reset(seed=..., options={"world": ...})` repeats it.
    """

    # A window is offered only where there is a screen.
    metadata = {  # noqa: RUF012 - as Gymnasium has it
        "render_modes": ["rgb_array", "human"] if has_screen() else ["rgb_array"],
        "render_fps": 25,
    }

    def __init__(
        self,
        rig: str | Rig = DEFAULT_RIG,
        task: str = "Reach",
        *,
        observation: ObservationKind = "state",
        cameras: Sequence[str] = ("main",),
        image_size_px: tuple[int, int] = (84, 84),
        control: Control = "ee_displacement",
        reward: Reward = "sparse",
        control_hz: float = 25.0,
        render_mode: str | None = None,
        renderer: RendererName = "cpu",
        samples: int = 4,
        worlds: WorldSource | None = None,
        physics: PhysicsSettings | None = None,
        eyes: Eyes | None = None,
    ) -> None:
        """Load the station.

        Args:
            rig: a shipped rig's name, a rig file, or a rig.
            task: Reach, Push and so on.
            observation: what observations hold.
            cameras: names of those whose pictures are observed: "main", and the rig's mounted ones.
            image_size_px: width and height of pictures.
            control: what actions mean.
            reward: sparse (0 when done, else -1) or dense (minus the distance, metres).
            control_hz: actions a second.
            render_mode: "rgb_array", "human" or none.
            renderer: what draws pictures.
            samples: of each of their pixels: 4 smooth edges, 1 is faster.
            worlds: draws the world of an episode from its random generator; default: always the nominal one.
            physics: how it is stepped.
            eyes: cameras to share with other environments of this process; default: its own.

        Raises:
            InputError: anything of this cannot be, in one line.
        """
        if render_mode not in (None, "rgb_array", "human"):
            raise InputError(f"render_mode must be None, rgb_array or human, got '{render_mode}'")
        if render_mode == "human" and not has_screen():
            raise InputError(
                "render_mode 'human' needs a screen, and neither DISPLAY nor WAYLAND_DISPLAY is set; "
                "take render_mode 'rgb_array', or `sim2real rollout` for a video"
            )
        if min(image_size_px) < 16:
            raise InputError(f"image_size_px must be 16 or more each way, got {list(image_size_px)}")
        check_samples(samples)
        TaskWorld.__init__(self, rig, task, observation, control, reward, control_hz, worlds, physics)
        self.render_mode = render_mode
        self.image_size_px = image_size_px
        self.cameras = tuple(cameras)
        known = ("main", *(camera.name for camera in self.rig.cameras))
        for name in self.cameras:
            if name not in known or self.cameras.count(name) > 1:
                self.physics.close()
                raise InputError(
                    f"rig {self.rig.name}: cameras must be different ones of {', '.join(known)}, got {list(cameras)}"
                )
        self.eyes = eyes or Eyes(self.rig, renderer, samples=samples)
        self.action_space = spaces.Box(-1.0, 1.0, (self.controller.size,), np.float32)
        self.observation_space: spaces.Dict = self._space()  # type: ignore[assignment]
        if observation != "pixels":
            # What has this attribute is taken for a goal environment, which pixels alone are not.
            self.compute_reward = self.rewards

    def _space(self) -> spaces.Dict:
        goal = len(self.goal)
        found: dict[str, spaces.Space[Any]] = {}
        pixels = self.observation_kind != "state"
        size = self.observer.robot_size if self.observation_kind == "pixels" else self.observer.size
        found["observation"] = spaces.Box(-LARGEST, LARGEST, (size,), np.float32)
        found["desired_goal"] = spaces.Box(-LARGEST, LARGEST, (goal,), np.float32)
        if self.observation_kind != "pixels":
            found["achieved_goal"] = spaces.Box(-LARGEST, LARGEST, (goal,), np.float32)
        if pixels:
            width, height = self.image_size_px
            for name in self.cameras:
                found[f"image_{name}"] = spaces.Box(0, 255, (height, width, 3), np.uint8)
        return spaces.Dict(found)

    def set_strength(self, strength: float) -> None:
        """Let the worlds of the next episodes vary this strongly, 0 to 1.

        Raises:
            InputError: there is nothing that varies.
        """
        if not hasattr(self.worlds, "strength"):
            raise InputError("strength is of worlds that are drawn from a preset, and this environment has none")
        self.worlds.strength = strength  # type: ignore[union-attr]

    # Gymnasium's interface

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: of this episode, and of those that follow without one.
            options: `world`, the WorldParams of the episode; object positions and the goal follow from the
                seed. `goal`, in place of a random one.

        Raises:
            InputError: an option that there is not, or a goal of another length.
        """
        self.begin_episode(seed, options)
        observation = self._observe(self.state_observation())
        info = {"is_success": self.is_success(), "world": self.world, "seed": self.episode_seed}
        if self.render_mode == "human":
            self.render()
        return observation, info

    def begin_episode(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode as `reset` does, without looking."""
        gymnasium.Env.reset(self, seed=seed)
        options = options or {}
        if unknown := set(options) - {"world", "goal"}:
            raise InputError(f"reset takes the options world and goal, got '{min(unknown)}'")
        number = int(self.np_random.integers(2**31)) if seed is None else seed
        self.begin(number, options.get("world"), options.get("goal"))

    def step(self, action: NDArray[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act for one period of control.

        Raises:
            InputError: an action of another shape, or with a value that is not finite.
        """
        self.advance(action)
        observation = self._observe(self.state_observation())
        done = self.is_success()
        if self.render_mode == "human":
            self.render()
        return observation, self.reward(), done, False, {"is_success": done, "world": self.world}

    def render(self) -> NDArray[np.uint8] | None:
        """Return the station's camera picture with the goal marked, uint8 (H, W, 3); or show it in a window."""
        if self.render_mode is None:
            return None
        camera = self.rig.camera.intrinsics()
        size = (camera.width_px, camera.height_px)
        picture = picture_with_goals(
            self.eyes.draw([self.scene_world()], size)[0], self.eyes.camera(size), self.rig, self.world, self.goal
        )
        if self.render_mode == "human":
            show(picture, f"sim2real: {self.rig.name}")
            return None
        return picture

    def close(self) -> None:
        """Release physics and renderer; twice is fine."""
        self.eyes.close()
        self.physics.close()

    def _observe(self, observation: Observation) -> Observation:
        if self.observation_kind != "state":
            world = self.pictured_world()
            for name in self.cameras:
                observation[f"image_{name}"] = self.eyes.draw([world], self.image_size_px, name)[0]
        return observation

    @property
    def true_state_space(self) -> spaces.Box:
        """The space of `true_state`."""
        size = 2 * len(self.physics.joints) + self.observer.size
        return spaces.Box(-LARGEST, LARGEST, (size,), np.float32)
