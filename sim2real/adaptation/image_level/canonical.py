"""Canonical looks: a network turns any picture of the station into one of the nominal world, learned in simulation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.world import WorldParams, paths, with_values
from policies.device import mixed_precision
from policies.translator import Translator
from sim2real.pretrain import schedule
from sim2real.progress import progress
from sim2real.stream import SimulatedFrames

# Frames of the stream that nothing else draws.
_START = 40_000_000
_RATE = 2e-3
# A target is a few of many pixels; near its keypoints an error counts more, within this share of the picture's width.
_NEAR, _NEAR_WEIGHT = 0.04, 20.0
_PLACES = ("position_m", "rpy_rad", "size_scale", "shape_scale", "velocity_m_s", "angular_velocity_rad_s")


def canonical_world(world: WorldParams, nominal: WorldParams) -> WorldParams:
    """Return the world with the nominal one's looks: bodies, joints and camera stay where they are, distractors go."""
    kept = {
        path: value
        for path, value in paths(world).items()
        if path.startswith(("joints.", "camera.")) or (path.startswith("bodies.") and path.split(".")[-1] in _PLACES)
    }
    same = with_values(nominal, kept)
    return with_values(same, {f"bodies.{b.name}.present": False for b in same.bodies if b.role == "distractor"})


def pairs(
    stream: SimulatedFrames, numbers: Sequence[int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]:
    """Return random pictures (N, H, W, 3), the same in canonical looks, and the keypoints (N, K, 2) of both."""
    worlds = stream.sampler.sample_many(stream.seed, [_START + k for k in numbers])
    batch = stream.draw_worlds(worlds)
    return (
        batch.rgb,
        stream.draw_worlds([canonical_world(w, stream.sampler.nominal) for w in worlds]).rgb,
        batch.keypoints_px,
    )


def train_translator(
    stream: SimulatedFrames, seed: int, device: torch.device, steps: int = 300, batch: int = 8
) -> tuple[Translator, list[float]]:
    """Return a network that gives random frames their canonical looks, in evaluation mode, and the loss of each step.

    RCAN (James et al. 2019) without its adversarial and auxiliary losses: mean absolute difference, with more weight
    around keypoints. No photograph takes part.

    Raises:
        InputError: the loss is no number any more.
    """
    torch.manual_seed(seed)
    translator = Translator().to(device=device)
    optimizer = torch.optim.AdamW(translator.parameters(), lr=_RATE, weight_decay=1e-4)
    losses: list[float] = []
    with progress("canonical looks", steps, "steps") as advance:
        for step in range(steps):
            random, canonical, keypoints = pairs(stream, range(step * batch, (step + 1) * batch))
            x, y = (torch.from_numpy(p).permute(0, 3, 1, 2).to(device).float() / 255.0 for p in (random, canonical))
            weight = torch.from_numpy(_near(keypoints, *random.shape[1:3])).float().to(device)
            for group in optimizer.param_groups:
                group["lr"] = _RATE * schedule(step / steps)
            with mixed_precision(device, on_cpu=True):
                out = translator(x)
            loss = ((out.float() - y).abs().mean(dim=1) * weight).sum() / weight.sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            if not np.isfinite(losses[-1]):
                raise InputError(f"learning canonical looks diverged at step {step}: the loss is {losses[-1]}")
            advance(step + 1, f"loss {losses[-1]:.4f}")
    return translator.eval(), losses


def _near(keypoints: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Return weights (N, H, W), 1 far from keypoints (N, K, 2) and more near them."""
    y, x = np.mgrid[:height, :width]
    place = np.nan_to_num(keypoints, nan=-1e6)[:, :, None, None]
    squared = (x - place[..., 0]) ** 2 + (y - place[..., 1]) ** 2
    return np.asarray(1.0 + _NEAR_WEIGHT * np.exp(-0.5 * squared / (_NEAR * width) ** 2).max(axis=1))
