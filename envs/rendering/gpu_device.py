"""Whether this machine can draw on a GPU without a screen."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

from envs.rendering.gpu.context import is_software, missing

# Asked in a process of its own: a broken driver may end it, and one that is loaded here does not survive a fork.
_QUESTION = "import envs.rendering.gpu.context as c; x = c.open_context(); x.__enter__(); print(x.info['GL_RENDERER'])"
_PATIENCE_S = 30.0


@functools.cache
def has_gpu() -> bool:
    """Return whether OpenGL through EGL runs on a real GPU here, not on a software driver.

    Answers at once where libEGL or moderngl is missing; otherwise asks the driver once a process.
    """
    if missing() is not None or not sys.executable:
        return False
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", _QUESTION]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return False
    name = answer.stdout.strip()
    return answer.returncode == 0 and bool(name) and not is_software(name)
