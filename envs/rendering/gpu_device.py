"""Whether this machine can draw on a GPU without a screen."""

from __future__ import annotations


def has_gpu() -> bool:
    """Return whether OpenGL through EGL runs on a real GPU here, not on a software driver."""
    return False
