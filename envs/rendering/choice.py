"""The renderers by name."""

from __future__ import annotations

import importlib
from typing import Literal

from calibration.errors import InputError
from calibration.rig import Rig
from envs.rendering.renderer import Renderer

RendererName = Literal["auto", "cpu", "gpu", "pybullet"]
# Where each is; loaded when it is asked for.
_MODULES = {
    "cpu": ("envs.rendering.cpu_renderer", "CpuRenderer"),
    "gpu": ("envs.rendering.gpu_renderer", "GpuRenderer"),
    "pybullet": ("envs.rendering.tiny", "TinyRenderer"),
}


def make_renderer(rig: Rig, name: RendererName = "auto", threads: int = 0) -> Renderer:
    """Return a renderer of the rig's worlds.

    Args:
        rig: the station.
        name: "cpu", the rasteriser that runs everywhere; "gpu", OpenGL without a screen; "pybullet", its own software
            renderer; "auto" takes the GPU where there is a real one and the CPU otherwise.
        threads: of the CPU's; 0 uses all cores.

    Raises:
        InputError: an unknown name, a rig that cannot be drawn, or "gpu" where there is no OpenGL.
    """
    if name == "auto":
        from envs.rendering.gpu_device import has_gpu

        name = "gpu" if has_gpu() else "cpu"
    if name not in _MODULES:
        raise InputError(f"renderer must be one of auto, {', '.join(_MODULES)}, got '{name}'")
    module, kind = _MODULES[name]
    make = getattr(importlib.import_module(module), kind)
    renderer: Renderer = make(rig, threads) if name == "cpu" else make(rig)
    return renderer
