"""Many arm environments as one Gymnasium vector environment, spread over worker processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from calibration.errors import InputError
from envs.arm.env import ArmEnv
from envs.arm.task_world import Observation
from envs.vector.arrays import FINAL, OBSERVED, SharedArrays, layout_of
from envs.vector.worker import STEP, Worker, serve

# A worker that was asked to end gets this long.
_PATIENCE_S = 5.0


class ArmVectorEnv(gymnasium.vector.VectorEnv[Observation, NDArray[np.float32], NDArray[Any]]):
    """N environments alike: observations and actions in shared memory, pictures of a worker drawn in one call.

    Episodes of different environments begin independently. With `reset(seed=s)`, environment k has the episodes of an
    `ArmEnv` that was reset with seed s + k, whatever the number of workers.

    Worker processes are spawned, so a script that makes one needs `if __name__ == "__main__":`. They end with `close`,
    with the process that made them, and on Ctrl-C.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as Gymnasium has it
        "render_modes": ["rgb_array"],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        workers: int | None = None,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Start the workers.

        Args:
            num_envs: how many environments.
            workers: processes; 0: all in this one; default: one a core, but no more than environments.
            max_episode_steps: of an episode; default: the task's.
            autoreset_mode: Gymnasium's; with SAME_STEP, info has `final_obs` and `final_info`.
            render_mode: "rgb_array" or none.
            **kwargs: of `ArmEnv`; they must be picklable.

        Raises:
            InputError: anything of this cannot be, in one line.
        """
        if num_envs < 1:
            raise InputError(f"num_envs must be 1 or more, got {num_envs}")
        if workers is not None and workers < 0:
            raise InputError(f"workers must be 0 or more, got {workers}")
        if render_mode == "human":
            raise InputError("a vector environment has render_mode rgb_array or none, got 'human'")
        self._pipes: list[Any] = []
        self._processes: list[Any] = []
        self.num_envs, self.render_mode = num_envs, render_mode
        probe = ArmEnv(**kwargs, render_mode=render_mode)
        probe.close()
        #: The task that all share.
        self.task, self.compute_reward = probe.task, probe.rewards
        self.single_observation_space: spaces.Dict = probe.observation_space
        self.single_action_space: spaces.Box = probe.action_space  # type: ignore[assignment]
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.metadata = {**type(self).metadata, "autoreset_mode": autoreset_mode}
        self._mode = autoreset_mode
        limit = max_episode_steps or probe.task.horizon
        count = min(num_envs, _cores() if workers is None else workers)
        context = multiprocessing.get_context("spawn")
        memory = SharedArrays(context, layout_of(self.single_observation_space, self.single_action_space, num_envs))
        self._arrays = memory.open()
        self._worlds = np.full(num_envs, None, object)
        self._local: Worker | None = None
        self._parts = np.array_split(np.arange(num_envs), max(count, 1))
        kwargs = {**kwargs, "render_mode": render_mode}
        if count == 0:
            self._local = Worker(self._arrays, 0, num_envs, limit, autoreset_mode, **kwargs)
            return
        try:
            for part in self._parts:
                here, there = context.Pipe()
                given = (there, memory, int(part[0]), len(part), limit, autoreset_mode, kwargs)
                process = context.Process(target=serve, args=given, daemon=True, name=f"sim2real-worker-{part[0]}")
                process.start()
                # Only the worker holds its end, so that each notices when the other is gone.
                there.close()
                self._pipes.append(here)
                self._processes.append(process)
            self._answers()
        except BaseException:
            self.close_extras()
            raise

    # Gymnasium's interface

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: of environment 0, and the next numbers for the next ones; or one for each.
            options: as of `ArmEnv.reset`, for all alike; and `reset_mask`, bool (N,): which environments to reset.

        Raises:
            InputError: an option that there is not, or seeds for another number of environments.
        """
        options = dict(options or {})
        mask = np.asarray(options.pop("reset_mask", np.ones(self.num_envs, np.bool_)))
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise InputError(f"reset_mask must be bool ({self.num_envs},) with one that is true, got {mask}")
        if unknown := set(options) - {"world", "goal"}:
            raise InputError(f"reset takes the options world, goal and reset_mask, got '{min(unknown)}'")
        seeds: list[int | None]
        if seed is None:
            seeds = [None] * self.num_envs
        elif isinstance(seed, int | np.integer):
            seeds = [int(seed) + k for k in range(self.num_envs)]
        else:
            seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise InputError(f"seed must be one number or {self.num_envs} of them, got {len(seeds)}")
        if self._local is not None:
            self._begun(0, self._local.reset(seeds, options, mask))
        else:
            self._ask_each("reset", [([seeds[k] for k in part], options, mask[part]) for part in self._parts])
        return self._observed(), self._infos()

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Act in all for one period of control.

        Raises:
            InputError: actions of another shape, or with a value that is not finite.
        """
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: NDArray[Any]) -> None:
        """Begin to act; the workers go on while this process does something else."""
        given = np.asarray(actions, np.float32)
        if given.shape != self._arrays["actions"].shape:
            raise InputError(f"actions must have shape {self._arrays['actions'].shape}, got {given.shape}")
        if not np.isfinite(given).all():
            raise InputError(f"actions must be finite, got {given[~np.isfinite(given).all(axis=1)][0].tolist()}")
        self._arrays["actions"][:] = given
        for pipe in self._pipes:
            self._send(pipe, STEP)

    def step_wait(
        self,
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Return what `step_async` led to."""
        before = self._worlds.copy()
        if self._local is not None:
            self._begun(0, self._local.step())
        else:
            self._begun_everywhere(self._answers())
        arrays, infos = self._arrays, self._infos()
        if self._mode is AutoresetMode.SAME_STEP and (ended := arrays["terminated"] | arrays["truncated"]).any():
            finals = np.full(self.num_envs, None, object)
            for k in np.flatnonzero(ended):
                finals[k] = {n: arrays[FINAL + n][k].copy() for n in self.single_observation_space.spaces}
            before[~ended] = None
            last = {"is_success": arrays["final_successes"] & ended, "world": before}
            infos |= {"final_obs": finals, "_final_obs": ended, "_final_info": ended.copy()}
            infos["final_info"] = last | {f"_{name}": ended.copy() for name in last}
        flags = arrays["terminated"].copy(), arrays["truncated"].copy()
        return self._observed(), arrays["rewards"].copy(), *flags, infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Return the picture of each environment, uint8 (H, W, 3), with its goal marked."""
        return None if self.render_mode is None else tuple(self.call("render"))

    def call(self, name: str, *args: Any, indices: Sequence[int] | None = None, **kwargs: Any) -> list[Any]:
        """Return what an attribute is, or a method returns, in each environment or in some of them."""
        chosen = list(range(self.num_envs)) if indices is None else list(indices)
        if self._local is not None:
            return self._local.call(name, chosen, args, kwargs)
        numbers = [[k - int(part[0]) for k in chosen if k in part] for part in self._parts]
        answers = self._ask_each("call", [(name, n, args, kwargs) for n in numbers], begin=False)
        found = {k: v for part, n, a in zip(self._parts, numbers, answers, strict=True)
                 for k, v in zip(part[n].tolist(), a, strict=True)}  # fmt: skip
        return [found[k] for k in chosen]

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of each environment."""
        return tuple(self.call(name))

    def set_attr(self, name: str, value: Any, indices: Sequence[int] | None = None) -> None:
        """Set an attribute of each environment or of some of them."""
        chosen = list(range(self.num_envs)) if indices is None else list(indices)
        if self._local is not None:
            self._local.assign(name, chosen, value)
            return
        numbers = [[k - int(part[0]) for k in chosen if k in part] for part in self._parts]
        self._ask_each("assign", [(name, n, value) for n in numbers], begin=False)

    def close_extras(self, **kwargs: Any) -> None:
        """End the workers."""
        if self._local is not None:
            self._local.close()
        for pipe in self._pipes:
            self._send(pipe, pickle.dumps(("close", ())))
        for process in self._processes:
            process.join(_PATIENCE_S)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        for pipe in self._pipes:
            pipe.close()
        self._pipes, self._processes = [], []

    # Messages

    def _ask_each(self, name: str, arguments: Sequence[Any], begin: bool = True) -> list[Any]:
        for pipe, given in zip(self._pipes, arguments, strict=True):
            self._send(pipe, pickle.dumps((name, given)))
        answers = self._answers()
        if begin:
            self._begun_everywhere(answers)
        return answers

    def _send(self, pipe: Any, message: bytes) -> None:
        # A worker that is gone is noticed when its answer is waited for.
        with contextlib.suppress(OSError):
            pipe.send_bytes(message)

    def _answers(self) -> list[Any]:
        """Return one answer of each worker; all have answered when one of them went wrong."""
        found, wrong = [], None
        for number, pipe in enumerate(self._pipes):
            try:
                fine, answer = pipe.recv()
            except (EOFError, ConnectionResetError):
                self._processes[number].join(_PATIENCE_S)
                fine, code = False, self._processes[number].exitcode
                answer = RuntimeError(f"worker {number} of {len(self._pipes)} ended, exit code {code}; make a new one")
            if not fine:
                wrong = wrong or answer
            found.append(answer)
        if wrong is not None:
            raise wrong
        return found

    def _begun_everywhere(self, answers: Sequence[Any]) -> None:
        for part, worlds in zip(self._parts, answers, strict=True):
            self._begun(int(part[0]), worlds)

    def _begun(self, first: int, worlds: dict[int, Any]) -> None:
        for k, world in worlds.items():
            self._worlds[first + k] = world

    def _observed(self) -> Observation:
        return {name: self._arrays[OBSERVED + name].copy() for name in self.single_observation_space.spaces}

    def _infos(self) -> dict[str, Any]:
        every, begun = np.ones(self.num_envs, np.bool_), self._arrays["begun"].copy()
        infos: dict[str, Any] = {"is_success": self._arrays["successes"].copy(), "_is_success": every}
        infos |= {"world": self._worlds.copy(), "_world": every.copy()}
        if begun.any():
            infos |= {"seed": np.where(begun, self._arrays["seeds"], 0), "_seed": begun}
        return infos


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
