"""OpenGL without a screen."""

from __future__ import annotations

import importlib
import importlib.util
from ctypes.util import find_library
from typing import Any

from calibration.errors import InputError

# Storage buffers and compute shaders came with OpenGL 4.3, in 2012.
_VERSION = 430
_NEXT = "or use --renderer cpu"


def missing() -> str | None:
    """Return what OpenGL without a screen lacks here and what to do, or None; loads neither a driver nor a package."""
    if find_library("EGL") is None:
        return "the library libEGL is missing: install libegl1 and the driver of the graphics card"
    if importlib.util.find_spec("moderngl") is None:
        return "the Python package moderngl is missing: install sim2real[gpu]"
    return None


def open_context() -> Any:
    """Return a moderngl context, current in no thread.

    Raises:
        InputError: no EGL, no moderngl, or no driver with OpenGL 4.3.
    """
    lack = missing()
    if lack is not None:
        raise InputError(f"renderer gpu needs OpenGL through EGL, but {lack}, {_NEXT}")
    libraries = {"libegl": find_library("EGL"), "libgl": find_library("GL") or find_library("OpenGL")}
    if libraries["libgl"] is None:
        libraries["libgl"] = libraries["libegl"]
    try:
        moderngl = importlib.import_module("moderngl")
        context = moderngl.create_context(require=_VERSION, standalone=True, backend="egl", **libraries)
    # Drivers fail in many ways, and moderngl raises plain exceptions.
    except Exception as error:
        raise InputError(
            f"renderer gpu needs OpenGL {_VERSION / 100:.1f} through EGL, but no driver gives it here ({error}): "
            f"install the driver of the graphics card, {_NEXT}"
        ) from error
    context.__exit__(None, None, None)
    return context


def is_software(name: str) -> bool:
    """Return whether an OpenGL renderer of this name runs on the CPU."""
    return any(word in name.lower() for word in ("llvmpipe", "softpipe", "swrast", "swiftshader", "software"))
