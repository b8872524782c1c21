"""MuJoCo, loaded when the held-out simulation is."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from typing import Any

from calibration.errors import InputError


def import_mujoco() -> Any:
    """Return the module mujoco.

    It chooses an OpenGL while it is imported, which physics does without: EGL unless MUJOCO_GL says otherwise, as
    `sim2real benchmark` in the same process may draw by it, and none where EGL does not start.

    Raises:
        InputError: it is not installed.
    """
    if "mujoco" not in sys.modules and importlib.util.find_spec("mujoco") is None:
        raise InputError(
            "the held-out simulation needs MuJoCo, which is not there: pip install mujoco, or 'sim2real[standin]'"
        )
    # PyOpenGL tells everybody what it does without.
    logging.getLogger("OpenGL.acceleratesupport").setLevel(logging.WARNING)
    chosen = os.environ.get("MUJOCO_GL")
    os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        return importlib.import_module("mujoco")
    except (ImportError, AttributeError, RuntimeError, OSError):
        if chosen is not None:
            raise
    for name in [n for n in sys.modules if n.partition(".")[0] in ("mujoco", "OpenGL")]:
        del sys.modules[name]
    os.environ["MUJOCO_GL"] = "disable"
    return importlib.import_module("mujoco")
