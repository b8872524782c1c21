"""One process of a vector environment: its environments, their pictures drawn in one call."""

from __future__ import annotations

import contextlib
import pickle
import signal
import traceback
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.world import WorldParams
from envs.arm.env import ArmEnv
from envs.arm.eyes import Eyes
from envs.vector.arrays import FINAL, OBSERVED, SharedArrays

# What `step` is called by; anything else comes pickled.
STEP = b"step"


class Worker:
    """The environments from `first` on; reads actions from arrays and writes what follows into them."""

    def __init__(
        self, arrays: dict[str, NDArray[Any]], first: int, count: int, limit: int, mode: AutoresetMode, **kwargs: Any
    ) -> None:
        """Make the environments.

        Args:
            arrays: of all environments of the vector.
            first: number of the first environment here.
            count: how many are here.
            limit: steps of an episode.
            mode: when an episode follows on one that has ended.
            **kwargs: of `ArmEnv`.
        """
        mine = slice(first, first + count)
        self._arrays = {name: values[mine] for name, values in arrays.items()}
        self._limit, self._mode = limit, mode
        self._eyes: Eyes | None = None
        self.envs: list[ArmEnv] = []
        for _ in range(count):
            env = ArmEnv(**kwargs, eyes=self._eyes)
            self._eyes = env.eyes
            self.envs.append(env)
        self._steps = np.zeros(count, np.int64)
        self._over = np.zeros(count, np.bool_)

    def reset(
        self, seeds: Sequence[int | None], options: dict[str, Any] | None, mask: NDArray[np.bool_]
    ) -> dict[int, WorldParams]:
        """Begin episodes where the mask (N,) says so; return the worlds by number."""
        self._arrays["begun"][:] = False
        for k in np.flatnonzero(mask).tolist():
            self._begin(k, seeds[k], options)
        self._look(OBSERVED, np.flatnonzero(mask).tolist())
        return self._new_worlds()

    def step(self) -> dict[int, WorldParams]:
        """Act by the actions in the arrays; return the worlds of episodes that began, by number."""
        arrays = self._arrays
        arrays["begun"][:] = False
        for k, env in enumerate(self.envs):
            if self._over[k] and self._mode is AutoresetMode.NEXT_STEP:
                self._begin(k, None, None)
                arrays["rewards"][k] = 0.0
                continue
            env.advance(arrays["actions"][k])
            self._steps[k] += 1
            arrays["rewards"][k] = env.reward()
            arrays["successes"][k] = arrays["terminated"][k] = env.is_success()
            arrays["truncated"][k] = self._steps[k] >= self._limit
            self._over[k] = arrays["terminated"][k] or arrays["truncated"][k]
        if self._mode is AutoresetMode.SAME_STEP:
            ended = np.flatnonzero(self._over).tolist()
            self._look(FINAL, ended)
            flags = {name: arrays[name][ended] for name in ("successes", "terminated", "truncated")}
            for k in ended:
                self._begin(k, None, None)
            arrays["final_successes"][ended] = flags["successes"]
            arrays["terminated"][ended], arrays["truncated"][ended] = flags["terminated"], flags["truncated"]
        self._look(OBSERVED, range(len(self.envs)))
        return self._new_worlds()

    def call(self, name: str, numbers: Sequence[int], args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Return what an attribute is, or a method returns, in each of some environments."""
        found = []
        for k in numbers:
            value = getattr(self.envs[k], name)
            found.append(value(*args, **kwargs) if callable(value) else value)
        return found

    def assign(self, name: str, numbers: Sequence[int], value: Any) -> None:
        """Set an attribute of some environments."""
        for k in numbers:
            setattr(self.envs[k], name, value)

    def close(self) -> None:
        """Close the environments."""
        for env in self.envs:
            env.close()

    def _begin(self, k: int, seed: int | None, options: dict[str, Any] | None) -> None:
        env, arrays = self.envs[k], self._arrays
        env.begin_episode(seed, options)
        self._steps[k], self._over[k] = 0, False
        arrays["begun"][k], arrays["terminated"][k], arrays["truncated"][k] = True, False, False
        arrays["seeds"][k], arrays["successes"][k] = env.episode_seed, env.is_success()

    def _look(self, prefix: str, numbers: Sequence[int]) -> None:
        """Write what some environments observe."""
        for k in numbers:
            for name, value in self.envs[k].state_observation().items():
                self._arrays[prefix + name][k] = value
        first = self.envs[0]
        if first.observation_kind != "state" and len(numbers):
            assert self._eyes is not None
            worlds = [self.envs[k].pictured_world() for k in numbers]
            for name in first.cameras:
                pictures = self._eyes.draw(worlds, first.image_size_px, name)
                self._arrays[f"{prefix}image_{name}"][list(numbers)] = pictures

    def _new_worlds(self) -> dict[int, WorldParams]:
        return {k: self.envs[k].world for k in np.flatnonzero(self._arrays["begun"]).tolist()}


def serve(
    pipe: Connection, memory: SharedArrays, first: int, count: int, limit: int, mode: AutoresetMode, kwargs: Any
) -> None:
    """Be a worker process: answer until the other end closes, or asks for the end.

    Every answer is a pair: whether it went well, and the result or the error.
    """
    # Ctrl-C goes to the whole group of processes; the first one decides what becomes of the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker: Worker | None = None
    try:
        worker = Worker(memory.open(), first, count, limit, mode, **kwargs)
        pipe.send((True, None))
        while True:
            message = pipe.recv_bytes()
            name, arguments = ("step", ()) if message == STEP else pickle.loads(message)  # noqa: S301 - our own
            if name == "close":
                break
            try:
                pipe.send((True, getattr(worker, name)(*arguments)))
            except InputError as error:
                # Nothing is lost by it.
                pipe.send((False, error))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass
    except Exception as error:  # noqa: BLE001 - told to the process that can tell the user
        with contextlib.suppress(OSError):
            mended = isinstance(error, InputError)
            pipe.send((False, error if mended else RuntimeError("".join(traceback.format_exception(error)))))
    finally:
        if worker is not None:
            worker.close()
        pipe.close()
