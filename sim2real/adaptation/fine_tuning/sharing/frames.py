"""Simulated frames with the labels of all tasks that share an encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from calibration.rig import Rig
from calibration.world import WorldParams
from envs.labels import label_images
from envs.labels.poses import camera_from_frames
from envs.rendering.choice import RendererName, make_renderer
from envs.rendering.renderer import Images, Renderer
from envs.sensing import measure_through
from sim2real.adaptation.fine_tuning.frames import REPLAY_START
from sim2real.adaptation.fine_tuning.sharing.model import TaskBatch
from sim2real.presets import load_preset, rig_spec
from sim2real.pretrain import batch_tensors
from sim2real.progress import progress
from sim2real.stream import Batch, SimulatedFrames

# Frames drawn at a time.
_PART = 8


def draw_task_frames(
    rig: Rig, seed: int, count: int, randomization: str | None = None, renderer: RendererName = "auto"
) -> TaskBatch:
    """Return the simulated frames that fine-tuning mixes in, with all labels, on the CPU.

    Args:
        rig: the station.
        seed: of the frames.
        count: how many.
        randomization: preset; None takes the rig's own choice.
        renderer: what draws them.
    """
    stream = SimulatedFrames(rig, rig_spec(rig, load_preset(randomization or rig.preset)), seed, renderer=renderer)
    draws = make_renderer(rig, renderer)
    parts = []
    with progress("frames with all labels", count, "frames") as advance:
        for start in range(0, count, _PART):
            stop = min(start + _PART, count)
            parts.append(draw_task_batch(stream, draws, range(REPLAY_START + start, REPLAY_START + stop)))
            advance(stop)
    stream.close()
    draws.close()
    return TaskBatch.joined(parts)


def draw_task_batch(stream: SimulatedFrames, renderer: Renderer, indices: Sequence[int]) -> TaskBatch:
    """Return the frames of a stream by number with all labels, on the CPU; pictures and keypoints are the stream's own.

    Masks and depth are those of the ideal picture. The pose is that of the body that holds the first keypoint, NaN
    where it is absent. A symmetric body has several poses that look alike, of which this is one.

    Args:
        stream: of frames.
        renderer: of the same rig.
        indices: of the frames.
    """
    rig = stream.rig
    worlds = [stream.world(k) for k in indices]
    images = renderer.render(worlds, stream.camera)
    labels = label_images(rig, worlds, images)
    rgb = np.stack(
        [
            measure_through(picture, depth, view.intrinsics, world.lens, world.sensor, world.noise_seed)
            for picture, depth, view, world in zip(images.rgb, images.depth_m, images.views, worlds, strict=True)
        ]
    )
    batch = Batch(rgb, labels.keypoints_px, labels.visible, labels.points_m)
    pictures, pixels, weight, _ = batch_tensors(batch, torch.device("cpu"))
    depth_m = np.where(np.isfinite(images.depth_m), images.depth_m, np.nan)
    poses = np.stack([_pose(rig, w, images, k) for k, w in enumerate(worlds)])
    return TaskBatch(
        pictures,
        pixels,
        weight,
        torch.from_numpy(np.stack([_mask(rig, w, images, k) for k, w in enumerate(worlds)])),
        torch.from_numpy(depth_m),
        torch.from_numpy(poses).float(),
    )


def _mask(rig: Rig, world: WorldParams, images: Images, k: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return (H, W) numbers of the rig's bodies from 1; 0 is nothing, or what the rig does not name."""
    numbers = {body.name: n for n, body in enumerate(rig.bodies, 1)}
    table = np.array([numbers.get(b.name, 0) for b in world.bodies] + [0], np.int64)
    # Index -1, "no body", takes the last entry.
    return np.asarray(table[images.segmentation[k]])


def _pose(rig: Rig, world: WorldParams, images: Images, k: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return camera_from_frames(rig, world, images.views[k]).get(rig.keypoints[0].frame, np.full((4, 4), np.nan))
