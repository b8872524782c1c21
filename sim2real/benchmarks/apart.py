"""A contender in a process of its own: OpenGL drivers of several libraries do not live together."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from sim2real.benchmarks.contenders import Contender
from sim2real.benchmarks.panda_scene import PandaScene

Maker = Callable[[PandaScene, int, bool], Contender | None]
_START_S, _TURN_S = 300.0, 60.0


class Apart:
    """Makes a contender in a child process, on the cores of its parent, and times it there."""

    def __init__(self, make: Maker, poses: int, size_px: int, shadow: bool) -> None:
        """Start the process; `name` is None where the contender does not run, or ended its process."""
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, poses, size_px, shadow), daemon=True)
        self._process.start()
        theirs.close()
        self.name: str | None = self._answer(_START_S)

    def views_per_s(self, seconds: float) -> float | None:
        """Return the speed over at least `seconds`; None when the process has ended."""
        try:
            self._ours.send(seconds)
        except OSError:
            return None
        speed: float | None = self._answer(seconds + _TURN_S)
        return speed

    def close(self) -> None:
        """End the process; twice is fine."""
        self._ours.close()
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _answer(self, patience_s: float) -> Any:
        try:
            return self._ours.recv() if self._ours.poll(patience_s) else None
        except (EOFError, OSError):
            return None


def _serve(connection: Connection, make: Maker, poses: int, size_px: int, shadow: bool) -> None:
    scene = PandaScene(poses)
    contender = make(scene, size_px, shadow)
    connection.send(None if contender is None else contender.name)
    if contender is None:
        return
    contender.draw()
    while True:
        try:
            seconds = connection.recv()
        except EOFError:
            return
        connection.send(contender.views * calls_per_s(contender.draw, seconds))


def calls_per_s(call: Callable[[], object], seconds: float) -> float:
    """Return how often a call is answered in a second, over at least `seconds`."""
    began, count = time.perf_counter(), 0
    while True:
        call()
        count += 1
        passed = time.perf_counter() - began
        if passed >= seconds:
            return count / passed
