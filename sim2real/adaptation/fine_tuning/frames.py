"""Batches for fine-tuning: labelled photographs, changed a little, mixed with simulated frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from calibration.rig import Rig
from calibration.view import CameraView
from envs.sensing import measure
from sim2real.presets import load_preset, rig_spec
from sim2real.realdata import RealFrame, stack_pictures
from sim2real.stream import Batch, SimulatedFrames

BATCH = 16
# Frames of the stream that pretraining never reached.
REPLAY_START = 10_000_000


def real_batch(rig: Rig, view: CameraView, frames: Sequence[RealFrame]) -> Batch:
    """Return real frames with the pixels that a camera gives to their labels."""
    small = view.resized(*rig.input_size_px)
    pixels = np.stack([small.project(f.keypoints_world) for f in frames])
    points = np.stack([f.point_m for f in frames])
    return Batch(stack_pictures(frames), pixels, np.ones(pixels.shape[:2]), points)


class Augment:
    """Changes real frames a little: small shifts, turns and zooms, and mild sensor effects of the rig's preset."""

    def __init__(self, rig: Rig, seed: int) -> None:
        """Keep the preset's sensor channels as the source of image effects."""
        self._worlds = SimulatedFrames(rig, rig_spec(rig, load_preset(rig.preset)), seed + 1)

    def __call__(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """Return a changed copy."""
        height, width = batch.rgb.shape[1:3]
        pictures, pixels = [], []
        for picture, points in zip(batch.rgb, batch.keypoints_px, strict=True):
            angle, zoom = rng.uniform(-4, 4), rng.uniform(0.92, 1.08)
            matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
            matrix[:, 2] += rng.uniform(-0.06, 0.06, 2) * width
            moved = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
            sensor = self._worlds.world(int(rng.integers(2**31))).sensor
            mild = dataclasses.replace(
                sensor,
                exposure_ev=sensor.exposure_ev / 2,
                blur_px=max(sensor.blur_px / 3, 0.0),
                shading=sensor.shading / 2,
                haze=sensor.haze / 2,
                channels="rgb",
            )
            pictures.append(measure(np.asarray(moved, np.uint8), mild, int(rng.integers(2**31))))
            pixels.append(points @ matrix[:, :2].T + matrix[:, 2])
        return Batch(np.stack(pictures), np.stack(pixels), batch.visible, batch.points_m)


def mixed(
    real: Batch, replay: Batch | None, augment: Augment, seed: int, step: int, replay_share: float = 0.5
) -> Batch:
    """Return the batch of a step, drawn with repeats: real frames, changed, then a share of simulated ones as is."""
    rng = np.random.default_rng([seed, step])
    simulated = 0 if replay is None else round(BATCH * replay_share)
    part = augment(real.take(rng.integers(len(real.rgb), size=BATCH - simulated)), rng)
    if replay is None or simulated == 0:
        return part
    return Batch.joined([part, replay.take(rng.integers(len(replay.rgb), size=simulated))])
