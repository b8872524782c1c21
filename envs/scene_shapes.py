"""The primitive shape of each body of a world."""

from __future__ import annotations

import zlib

import numpy as np

from calibration.rig import Rig
from calibration.world import BodyParams

_DISTRACTOR_SHAPES = ("box", "cylinder", "plate", "box", "sphere", "plate")


def body_shape(rig: Rig, params: BodyParams) -> tuple[str, tuple[float, ...]]:
    """Return box, sphere or cylinder, and its nominal lengths: three sides, a radius, a radius and a length."""
    if params.role == "distractor":
        return distractor_shape(rig, params.name)
    body = rig.body(params.name)
    if body.size_m is not None:
        return "box", body.size_m
    if body.length_m is None:
        return "sphere", (body.radius_m or 0.0,)
    return "cylinder", (body.radius_m or 0.0, body.length_m)


def distractor_shape(rig: Rig, name: str) -> tuple[str, tuple[float, ...]]:
    """Return shape and nominal sizes of a distractor; both follow from its name and the rig's size range."""
    assert rig.distractors is not None
    number = int(name.removeprefix("distractor"))
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    low, high = np.log(rig.distractors.size_m)
    sides = np.exp(rng.uniform(low, high, 3))
    shape = _DISTRACTOR_SHAPES[number % len(_DISTRACTOR_SHAPES)]
    if shape == "plate":
        return "box", (float(sides[0]), float(sides[1]), float(np.exp(low)) * 0.1)
    if shape == "sphere":
        return "sphere", (float(sides[0]) / 2,)
    if shape == "cylinder":
        return "cylinder", (float(sides[0]) / 3, float(sides[1]))
    return "box", (float(sides[0]), float(sides[1]), float(sides[2]))


def half_height(rig: Rig, params: BodyParams) -> float:
    """Return half the height of a body that stands upright, metres."""
    shape, size = body_shape(rig, params)
    height = {"box": size[-1] / 2, "sphere": size[0], "cylinder": size[-1] / 2}[shape]
    return float(height * params.size_scale * params.shape_scale[2])
