"""Own one PyBullet client: connect, close."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any


def import_pybullet() -> Any:
    """Return the module pybullet; its build note goes to standard error, as standard output is ours."""
    if "pybullet" in sys.modules:
        return sys.modules["pybullet"]
    with _standard_output_to(2):
        import pybullet
    return pybullet


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Drop what PyBullet's C++ code prints to standard output, such as every link that it merges."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        with _standard_output_to(nowhere):
            yield
    finally:
        os.close(nowhere)


@contextlib.contextmanager
def _standard_output_to(descriptor: int) -> Iterator[None]:
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(descriptor, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


class Simulation:
    """A physics client without a window. Use as a context, or call `close`; closing twice is fine."""

    def __init__(self) -> None:
        """Connect."""
        self.pybullet = import_pybullet()
        self.client: int = self.pybullet.connect(self.pybullet.DIRECT)
        self._open = True

    def close(self) -> None:
        """Disconnect."""
        if self._open:
            self._open = False
            self.pybullet.disconnect(physicsClientId=self.client)

    def __enter__(self) -> Simulation:
        """Return the simulation itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        self.close()
