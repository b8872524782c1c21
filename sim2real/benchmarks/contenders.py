"""The renderers of the benchmark behind one face: draw pose k of the Panda scene."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.rendering.cpu.rasterizer import CpuRasterizer
from envs.rendering.drawing import Drawing
from envs.rendering.opengl import projection_matrix, view_matrix
from sim2real.benchmarks.panda_scene import FAR_M, NEAR_M, PandaScene


@dataclass(frozen=True)
class Contender:
    """One renderer at one setting.

    Attributes:
        name: for the table.
        views: how many views one call draws.
        draw: draws them and returns the pictures, uint8 (N, H, W, 3).
        close: releases what it holds.
    """

    name: str
    views: int
    draw: Callable[[], NDArray[np.uint8]]
    close: Callable[[], None] = lambda: None


def tiny_image(scene: PandaScene, size_px: int, shadow: bool, opengl: bool = False) -> Callable[[], Any]:
    """Return what draws the client as it is by PyBullet: by TinyRenderer or by its OpenGL plugin."""
    p = scene.pybullet
    # TinyRenderer samples pixels at their lower left corner.
    projection = projection_matrix(scene.camera(size_px), NEAR_M, FAR_M, 0.0 if opengl else -0.5)
    options = {
        "viewMatrix": view_matrix(scene.view).T.ravel().tolist(),
        "projectionMatrix": projection.T.ravel().tolist(),
        "shadow": int(shadow),
        "renderer": p.ER_BULLET_HARDWARE_OPENGL if opengl else p.ER_TINY_RENDERER,
        "physicsClientId": scene.client,
    }
    return lambda: p.getCameraImage(size_px, size_px, **options)


def pybullet_tiny(scene: PandaScene, size_px: int, shadow: bool) -> Contender:
    """Return PyBullet's software renderer, one view a call, as it comes."""
    draw = tiny_image(scene, size_px, shadow)
    return Contender("PyBullet TinyRenderer", 1, one_after_another(draw, scene, size_px))


def pybullet_opengl(scene: PandaScene, size_px: int, shadow: bool) -> Contender | None:
    """Return PyBullet's EGL plugin, or None where it does not load."""
    spec = importlib.util.find_spec("eglRenderer")
    if spec is None or spec.origin is None:
        return None
    plugin = scene.pybullet.loadPlugin(spec.origin, "_eglRendererPlugin", physicsClientId=scene.client)
    if plugin < 0:
        return None
    draw = tiny_image(scene, size_px, shadow, opengl=True)

    def close() -> None:
        scene.pybullet.unloadPlugin(plugin, physicsClientId=scene.client)

    return Contender("PyBullet EGL plugin", 1, one_after_another(draw, scene, size_px), close)


def one_after_another(draw: Callable[[], Any], scene: PandaScene, size_px: int) -> Callable[[], NDArray[np.uint8]]:
    """Return what draws the next pose at every call."""
    turn = {"k": 0}

    def step() -> NDArray[np.uint8]:
        turn["k"] = (turn["k"] + 1) % len(scene.joints)
        scene.place(turn["k"])
        return np.asarray(draw()[2], np.uint8).reshape(1, size_px, size_px, 4)[..., :3]

    return step


def ours_cpu(scene: PandaScene, size_px: int, shadow: bool, threads: int, samples: int) -> Contender:
    """Return the CPU rasteriser, all poses a call."""
    arrays = scene.scene(size_px, shadow)
    rasterizer = CpuRasterizer(threads, samples)
    name = f"ours, CPU, {samples} sample{'s' if samples > 1 else ''} a pixel"
    return Contender(name, len(arrays), lambda: rasterizer.draw(arrays).rgb, rasterizer.close)


def ours_gpu(scene: PandaScene, size_px: int, shadow: bool) -> Contender | None:
    """Return the GPU rasteriser, all poses a call, or None where there is no OpenGL."""
    from calibration.errors import InputError
    from envs.rendering.gpu.rasterizer import GpuRasterizer

    arrays = scene.scene(size_px, shadow)
    try:
        rasterizer = GpuRasterizer(samples=1)
    except InputError:
        return None
    return Contender("ours, OpenGL (EGL)", len(arrays), lambda: rasterizer.draw(arrays).rgb, rasterizer.close)


def full_meshes(scene: PandaScene, size_px: int, samples: int = 1) -> Drawing:
    """Return the poses by the CPU rasteriser from the meshes as they are in their files."""
    rasterizer = CpuRasterizer(samples=samples, error_px=0.0)
    drawing = rasterizer.draw(scene.scene(size_px, True))
    rasterizer.close()
    return drawing
