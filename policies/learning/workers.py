"""A vector of arm environments in the form of Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium import Wrapper
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from envs.vector.env import ArmVectorEnv


class ArmVecEnv(VecEnv):
    """An `ArmVectorEnv` as a VecEnv: episodes follow at once, infos are a list, with `terminal_observation`.

    Attributes:
        vector: what acts.
        episodes: number of the present episode of each environment, from 0; -1 before the first.
    """

    def __init__(self, num_envs: int, workers: int | None = None, **kwargs: Any) -> None:
        """Start the workers; arguments as of `ArmVectorEnv`."""
        self.vector = ArmVectorEnv(num_envs, workers=workers, autoreset_mode=AutoresetMode.SAME_STEP, **kwargs)
        self.render_mode = self.vector.render_mode
        self.episodes = np.full(num_envs, -1, np.int64)
        super().__init__(num_envs, self.vector.single_observation_space, self.vector.single_action_space)

    def reset(self) -> Any:
        """Begin an episode in each; seeds of `seed` are used once."""
        chosen = None if all(s is None for s in self._seeds) else list(self._seeds)
        options: dict[str, Any] | None = self._options[0] or None
        seen, infos = self.vector.reset(seed=chosen, options=options)
        self.reset_infos = self._split(infos)
        self.episodes += 1
        self._reset_seeds()
        self._reset_options()
        return seen

    def step_async(self, actions: NDArray[Any]) -> None:
        """Begin to act."""
        self.vector.step_async(actions)

    def step_wait(self) -> Any:
        """Return observations, rewards, dones and infos of what was begun."""
        seen, rewards, terminated, truncated, infos = self.vector.step_wait()
        done = terminated | truncated
        each = self._split(infos)
        for k in np.flatnonzero(done).tolist():
            last = infos["final_info"]
            self.reset_infos[k] = each[k]
            each[k] = {
                "is_success": bool(last["is_success"][k]),
                "world": last["world"][k],
                "terminal_observation": infos["final_obs"][k],
            }
        for k, info in enumerate(each):
            info["TimeLimit.truncated"] = bool(truncated[k] and not terminated[k])
        self.episodes += done
        return seen, rewards.astype(np.float32), done, each

    def close(self) -> None:
        """End the workers; twice is fine."""
        self.vector.close()

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return the picture of each environment."""
        return list(self.vector.render() or [None] * self.num_envs)

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of each environment, or of some."""
        numbers = list(self._get_indices(indices))
        if attr_name == "render_mode":
            return [self.render_mode] * len(numbers)
        if attr_name == "episode":
            return [int(n) for n in self.episodes[numbers]]
        return self.vector.call(attr_name, indices=numbers)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of each environment, or of some."""
        self.vector.set_attr(attr_name, value, list(self._get_indices(indices)))

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Return what a method returns in each environment, or in some."""
        numbers = list(self._get_indices(indices))
        if method_name == "compute_reward":
            # The same for all, and hindsight asks often.
            return [self.vector.compute_reward(*method_args, **method_kwargs)] * len(numbers)
        return self.vector.call(method_name, *method_args, indices=numbers, **method_kwargs)

    def env_is_wrapped(self, wrapper_class: type[Wrapper[Any, Any, Any, Any]], indices: Any = None) -> list[bool]:
        """Return False for each: these environments have no wrappers."""
        return [False] * len(list(self._get_indices(indices)))

    def _get_indices(self, indices: Any) -> Iterable[int]:
        return super()._get_indices(indices)

    def _split(self, infos: dict[str, Any]) -> list[dict[str, Any]]:
        each: list[dict[str, Any]] = []
        for k in range(self.num_envs):
            info = {"is_success": bool(infos["is_success"][k]), "world": infos["world"][k]}
            if "seed" in infos and infos["_seed"][k]:
                info["seed"] = int(infos["seed"][k])
            each.append(info)
        return each
