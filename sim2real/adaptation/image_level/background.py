"""The station's own background: simulated objects over the median of unlabelled photographs, with their shadows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.alignment import median_picture
from calibration.errors import InputError
from calibration.rig import Rig
from sim2real.distributions import Choice, Uniform
from sim2real.randomization import Channel, RandomizationSpec

Picture = NDArray[np.uint8]

FEWEST_PHOTOGRAPHS = 5
# As many versions of the median as photographs, up to this.
_MOST_VERSIONS = 16
# How far brightness and tint vary around what the photographs show.
_SPREAD = 0.03


def still_bodies(rig: Rig) -> tuple[str, ...]:
    """Return the bodies that every photograph shows in the same place: fixed to the world, not placed, no target."""
    placed = {p.body for p in rig.placements}
    targets = {k.frame for k in rig.keypoints}
    return tuple(
        b.name
        for b in rig.bodies
        if b.parent == "world" and b.name not in placed and b.name not in targets and b.role != "object"
    )


def background_versions(pictures: Sequence[Picture]) -> list[Picture]:
    """Return the median of photographs (H, W, 3) in the exposure and tint of each of them, at most 16.

    A moving target is in the same place in few photographs, so the median shows the station without it. Exposure and
    white balance differ between photographs: each version is the median times one gain a channel, the median ratio of
    that photograph to it.

    Raises:
        InputError: fewer than five photographs, of which the median would still show the target.
    """
    if len(pictures) < FEWEST_PHOTOGRAPHS:
        raise InputError(
            f"the station's background needs at least {FEWEST_PHOTOGRAPHS} unlabelled photographs, got "
            f"{len(pictures)}; take more with the target elsewhere"
        )
    empty = median_picture(pictures)
    floor = np.maximum(empty.astype(np.float32), 1.0)
    chosen = np.linspace(0, len(pictures) - 1, min(len(pictures), _MOST_VERSIONS)).round().astype(int)
    versions = []
    for k in chosen:
        gain = np.median(pictures[k].astype(np.float32) / floor, axis=(0, 1))
        versions.append(np.clip(np.rint(empty * gain), 0, 255).astype(np.uint8))
    return versions


def write_background(folder: Path, pictures: Sequence[Picture]) -> list[str]:
    """Write the versions as PNG files into a folder and return their texture names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for k, version in enumerate(background_versions(pictures)):
        path = folder / f"background_{k:02d}.png"
        if not cv2.imwrite(str(path), np.ascontiguousarray(version[..., ::-1])):
            raise InputError(f"cannot write {path}")
        names.append(f"file:{path.resolve()}")
    return names


def over_background(spec: RandomizationSpec, rig: Rig, textures: Sequence[str]) -> RandomizationSpec:
    """Return the spec with the station's still bodies replaced by its own photographs.

    Still bodies are matte: they keep their shape for occlusion and receive shadows, and show the photograph. Everything
    else, distractors too, is drawn over it as before, and so is the sensor.
    """
    matte = tuple(Channel(f"bodies.{name}.matte", Choice((True,))) for name in still_bodies(rig))
    return spec.with_channels(
        (
            *matte,
            Channel("background.texture", Choice(tuple(textures))),
            Channel("background.rgb", Uniform(1.0 - _SPREAD, 1.0 + _SPREAD)),
        )
    )
