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


def make_renderer(rig: Rig, name: RendererName = "auto", threads: int = 0, samples: int = 4) -> Renderer:
    """Return a renderer of the rig's worlds.

    Args:
        rig: the station.
        name: "cpu", the rasteriser that runs everywhere; "gpu", OpenGL without a screen; "pybullet", its own software
            renderer; "auto" takes the GPU where there is a real one and the CPU otherwise.
        threads: of the CPU's; 0 uses all cores.
        samples: a pixel: 1, 4, 9 or 16; PyBullet's renderer always takes 1.

    Raises:
        InputError: an unknown name or number of samples, a rig that cannot be drawn, or "gpu" where there is no OpenGL.
    """
    if name == "auto":
        from envs.rendering.gpu_device import has_gpu

        name = "gpu" if has_gpu() else "cpu"
    if name not in _MODULES:
        raise InputError(f"renderer must be one of auto, {', '.join(_MODULES)}, got '{name}'")
    check_samples(samples)
    module, kind = _MODULES[name]
    make = getattr(importlib.import_module(module), kind)
    given = {"cpu": {"threads": threads, "samples": samples}, "gpu": {"samples": samples}}.get(name, {})
    renderer: Renderer = make(rig, **given)
    return renderer


def check_samples(samples: int) -> None:
    """Raise InputError when a pixel cannot have this many samples."""
    if samples not in (1, 4, 9, 16):
        raise InputError(f"samples of a pixel must be 1, 4, 9 or 16, got {samples}")
