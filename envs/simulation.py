"""Own one PyBullet client: connect, close."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any


def import_pybullet() -> Any:
    """Return the module pybullet; its build note goes to standard error, as standard output is ours."""
    if "pybullet" in sys.modules:
        return sys.modules["pybullet"]
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        import pybullet
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    return pybullet


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
