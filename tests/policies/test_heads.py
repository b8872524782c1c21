"""Keypoints: what the head is taught and how they are read back, against positions known beforehand."""

from __future__ import annotations

import math
import time

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from policies.heads import (
    KeypointHead,
    KeypointMaps,
    RegressionHead,
    cell_centres,
    decode_keypoints,
    keypoint_loss,
)
from policies.perception import ModelSpec, PerceptionModel

H, W, STRIDE = 12, 16, 4
RADIUS = 2.5

# In pixels of a 64 x 48 picture: inside, between cells, on the corner pixel, and slightly outside.
INSIDE = [(31.5, 20.25), (10.0, 40.0), (33.49, 22.51), (0.0, 0.0), (63.0, 47.0)]
OUTSIDE = [(-3.0, 20.0), (66.0, 30.0), (20.0, -5.0), (40.0, 52.0), (-4.0, -4.0), (67.5, 51.5)]


def ideal(points: list[tuple[float, float]], peak: float = 30.0) -> KeypointMaps:
    """Return maps of one picture that point to the keypoints, and to nonsense far from them."""
    centre_x = np.arange(W) * STRIDE + (STRIDE - 1) / 2
    centre_y = np.arange(H) * STRIDE + (STRIDE - 1) / 2
    logits, offsets = [], []
    for x, y in points:
        near_x = np.clip(x, centre_x[0], centre_x[-1])
        near_y = np.clip(y, centre_y[0], centre_y[-1])
        cells = np.hypot((centre_y[:, None] - near_y) / STRIDE, (centre_x[None] - near_x) / STRIDE)
        logits.append(peak * np.exp(-0.5 * cells**2))
        way = np.stack(
            [
                np.broadcast_to((x - centre_x[None]) / STRIDE, (H, W)),
                np.broadcast_to((y - centre_y[:, None]) / STRIDE, (H, W)),
            ]
        )
        offsets.append(np.where(cells <= RADIUS, way, 100.0))
    return KeypointMaps(
        torch.tensor(np.array(logits)[None]).float(), torch.tensor(np.array(offsets)[None]).float(), STRIDE
    )


def loss(maps: KeypointMaps, points: list[tuple[float, float]], weight: list[float] | None = None) -> float:
    weights = torch.ones(1, len(points)) if weight is None else torch.tensor([weight])
    return float(keypoint_loss(maps, torch.tensor([points]), weights))


def test_cells_have_their_centres_between_pixels() -> None:
    x, y = cell_centres(2, 3, 4, torch.device("cpu"))
    assert x.tolist() == [1.5, 5.5, 9.5]
    assert y.tolist() == [1.5, 5.5]


@pytest.mark.parametrize("points", [INSIDE, OUTSIDE], ids=["inside", "outside"])
def test_decode_finds_the_keypoints(points: list[tuple[float, float]]) -> None:
    found, confidence = decode_keypoints(ideal(points))
    np.testing.assert_allclose(found[0].numpy(), points, atol=1e-4)
    assert bool((confidence > 0.9).all())


def test_two_peaks_are_not_averaged() -> None:
    maps = ideal([(10.0, 10.0), (50.0, 40.0)])
    both = KeypointMaps(maps.logits[:, :1] + 0.9 * maps.logits[:, 1:], maps.offsets[:, :1], STRIDE)
    found, _ = decode_keypoints(both)
    np.testing.assert_allclose(found[0, 0].numpy(), [10.0, 10.0], atol=1e-4)


def test_confidence_is_the_share_of_nine_cells() -> None:
    maps = KeypointMaps(torch.zeros(1, 1, H, W), torch.zeros(1, 1, 2, H, W), STRIDE)
    maps.logits[0, 0, 6, 8] = 1e-6  # the most likely by a hair
    _, confidence = decode_keypoints(maps)
    assert float(confidence) == pytest.approx(9 / (H * W), rel=1e-4)


@pytest.mark.parametrize("point", [*INSIDE, *OUTSIDE])
def test_loss_is_lowest_at_the_truth(point: tuple[float, float]) -> None:
    maps = ideal([point])
    maps = KeypointMaps(maps.logits, maps.offsets.clamp(-6, 6), STRIDE)
    at_truth = loss(maps, [point])
    assert math.isfinite(at_truth)
    for dx, dy in ((6, 0), (-6, 0), (0, 6), (0, -6), (1, 1), (-1, -1)):
        assert loss(maps, [(point[0] + dx, point[1] + dy)]) > at_truth


def test_loss_falls_as_the_peak_sharpens_at_the_truth_and_rises_elsewhere() -> None:
    flat, sharp = ideal([(31.5, 20.25)], peak=0.1), ideal([(31.5, 20.25)], peak=6.0)
    assert loss(sharp, [(31.5, 20.25)]) < loss(flat, [(31.5, 20.25)])
    assert loss(sharp, [(5.0, 40.0)]) > loss(flat, [(5.0, 40.0)])


def test_weight_zero_leaves_nan_and_everything_else_out() -> None:
    maps = ideal([(10.0, 10.0), (50.0, 40.0)], peak=5.0)
    maps.logits.requires_grad_(True)
    maps.offsets.requires_grad_(True)
    alone = KeypointMaps(maps.logits[:, :1].detach(), maps.offsets[:, :1].detach(), STRIDE)
    for poison in (math.nan, math.inf, -math.inf, 1e30):
        pixels = torch.tensor([[(10.0, 10.0), (poison, poison)]])
        value = keypoint_loss(maps, pixels, torch.tensor([[1.0, 0.0]]))
        assert float(value.detach()) == pytest.approx(loss(alone, [(10.0, 10.0)]))
        gradients = torch.autograd.grad(value, [maps.logits, maps.offsets])
        for gradient in gradients:
            assert bool(torch.isfinite(gradient).all())
            assert bool((gradient[:, 1] == 0).all())
    nothing = keypoint_loss(maps, torch.full((1, 2, 2), math.nan), torch.zeros(1, 2))
    assert float(nothing.detach()) == 0.0


def test_offsets_learn_only_near_the_keypoint() -> None:
    point = (26.0, 18.0)
    offsets = torch.full((1, 1, 2, H, W), 3.3, requires_grad=True)
    maps = KeypointMaps(torch.zeros(1, 1, H, W), offsets, STRIDE)
    keypoint_loss(maps, torch.tensor([[point]]), torch.ones(1, 1)).backward()
    assert offsets.grad is not None
    for row in range(H):
        for column in range(W):
            x, y = column * STRIDE + 1.5, row * STRIDE + 1.5
            near = math.hypot(x - point[0], y - point[1]) <= RADIUS * STRIDE
            learns = (offsets.grad[0, 0, :, row, column] != 0).tolist()
            assert learns == [near, near], (row, column)


def test_gradients_agree_with_differences() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    offsets = torch.randn(1, 1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    pixels = torch.tensor([[[11.0, 8.0]]], dtype=torch.float64)

    def value(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return keypoint_loss(KeypointMaps(a, b, STRIDE), pixels, torch.ones(1, 1, dtype=torch.float64))

    assert torch.autograd.gradcheck(value, (logits, offsets))


def test_head_brings_maps_of_any_size_to_the_finest() -> None:
    head = KeypointHead([8, 12, 20], [4, 8, 16], 3).eval()
    maps = [torch.rand(2, 8, 9, 13), torch.rand(2, 12, 5, 7), torch.rand(2, 20, 3, 4)]
    out = head(maps)
    assert out.logits.shape == (2, 3, 9, 13)
    assert out.offsets.shape == (2, 3, 2, 9, 13)
    assert out.stride == 4
    for k in range(3):
        changed = [m.clone() for m in maps]
        changed[k] += 1.0
        assert not torch.equal(head(changed).logits, out.logits), f"map {k} is not used"


def test_regression_head_pools_the_coarsest_map() -> None:
    head = RegressionHead([8, 12], 3)
    maps = [torch.rand(2, 8, 9, 13), torch.rand(2, 12, 5, 7)]
    out = head(maps)
    assert out.shape == (2, 3)
    mirrored = [maps[0] * 0, maps[1].flip(dims=(2, 3))]
    torch.testing.assert_close(head(mirrored), out)


def squares(count: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return pictures of a bright square on a dim, cluttered ground, and the squares' centres."""
    rng = np.random.default_rng(0)
    pictures, centres = [], []
    for k in range(count):
        picture = rng.integers(20, 90, (12, 16, 3), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
        x, y = 6 + 7 * k, 40 - 5 * k
        cv2.rectangle(picture, (x - 3, y - 3), (x + 3, y + 3), (250, 240, 200), -1)
        pictures.append(picture)
        centres.append((float(x), float(y)))
    return np.stack(pictures), np.array(centres)


def test_tiny_backbone_overfits_eight_frames() -> None:
    pictures, centres = squares(8)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        began = time.process_time()
        torch.manual_seed(0)
        model = PerceptionModel(ModelSpec("test_resnet", "keypoints", 1, (64, 48)))
        before = model.predict(pictures, torch.device("cpu")).keypoints_px
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2)
        pixels = torch.from_numpy(centres).float()[:, None]
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        model.train()
        for _ in range(60):
            value = model.loss(x, pixels, torch.ones(8, 1), torch.zeros(8, 3))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        found = model.predict(pictures, torch.device("cpu")).keypoints_px
        seconds = time.process_time() - began
    finally:
        torch.set_num_threads(threads)
    assert before is not None
    assert found is not None
    assert np.linalg.norm(before[:, 0] - centres, axis=1).mean() > 5.0, "it must have something to learn"
    errors = np.linalg.norm(found[:, 0] - centres, axis=1)
    assert errors.max() < 1.0, errors
    assert seconds < 20.0
