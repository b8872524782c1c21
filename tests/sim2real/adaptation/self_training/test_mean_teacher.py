"""The mean teacher: the average, which labels are believed, and training that helps or is taken back."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from calibration.errors import InputError
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.view import CameraView
from policies.perception import PerceptionModel
from policies.views import STRONG
from sim2real.adaptation.self_training.mean_teacher import (
    MeanTeacherSettings,
    PseudoLabels,
    ema_update,
    pseudo_labels,
    strong_views,
    train_mean_teacher,
)
from sim2real.adaptation.self_training.plausibility import PlausibilityLimits
from sim2real.stream import Batch

CPU = torch.device("cpu")
FREE = MeanTeacherSettings(steps=4, half_batch=4, geometry=None)


@pytest.fixture(scope="module")
def station() -> tuple[Rig, CameraView]:
    rig = load_rig("cube_on_table")
    return rig, CameraView.of(rig).resized(64, 48)


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_teacher_is_the_average_of_weights_and_buffers(make_model: Callable[..., PerceptionModel]) -> None:
    teacher, student = make_model(), make_model()
    generator = torch.Generator().manual_seed(4)
    for value in student.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator))
        else:
            value.fill_(17)
    before, new = state(teacher), state(student)
    ema_update(teacher, student, 0.9)
    for name, value in teacher.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.9 * before[name] + 0.1 * new[name])
        else:
            assert torch.equal(value, new[name])
    assert same(new, student.state_dict())


def test_pseudo_labels_move_with_their_pictures(discs: Callable[[int, int], Batch]) -> None:
    batch = discs(8, 0)
    moved = strong_views(batch.rgb, PseudoLabels(batch.keypoints_px, batch.visible), np.random.default_rng(1), STRONG)
    assert moved.rgb.shape == batch.rgb.shape
    assert np.linalg.norm(moved.keypoints_px - batch.keypoints_px, axis=2).max() > 2
    y, x = np.mgrid[: batch.rgb.shape[1], : batch.rgb.shape[2]]
    for picture, pixel, weight in zip(moved.rgb, moved.keypoints_px[:, 0], moved.visible[:, 0], strict=True):
        # The discs are the only thing that is red: their middle is that of the redness.
        red = np.clip(picture[..., 0].astype(float) - picture[..., 1:].max(axis=2) - 50, 0, None)
        near = red * (np.hypot(x - pixel[0], y - pixel[1]) < 10)
        if weight and near.sum() and 9 < pixel[0] < 54 and 9 < pixel[1] < 38:
            found = np.array([(near * x).sum(), (near * y).sum()]) / near.sum()
            np.testing.assert_allclose(found, pixel, atol=0.6)
    assert moved.visible.mean() > 0.5


def test_a_keypoint_that_leaves_the_picture_does_not_count() -> None:
    pictures = np.zeros((20, 48, 64, 3), np.uint8)
    at_the_edge = PseudoLabels(np.full((20, 1, 2), 0.0), np.ones((20, 1)))
    moved = strong_views(pictures, at_the_edge, np.random.default_rng(0), STRONG)
    outside = ((moved.keypoints_px < -0.5) | (moved.keypoints_px > np.array([63.5, 47.5]))).any(axis=2)
    assert 0 < outside.sum() < 20
    np.testing.assert_array_equal(moved.visible, 1.0 - outside)


def test_only_confident_steady_and_possible_keypoints_are_believed(
    trained: PerceptionModel, discs: Callable[[int, int], Batch], station: tuple[Rig, CameraView]
) -> None:
    batch = discs(12, 2)

    def label(settings: MeanTeacherSettings) -> PseudoLabels:
        return pseudo_labels(trained, *station, batch.rgb, CPU, np.random.default_rng(0), settings)

    easy = replace(FREE, confidence=0.0, spread_px=1e9)
    assert label(easy).weight.all()
    np.testing.assert_allclose(label(easy).pixels, batch.keypoints_px, atol=1.5)
    assert not label(replace(easy, confidence=1.1)).weight.any()
    assert not label(replace(easy, spread_px=0.0)).weight.any()
    # The station's cube cannot be at the upper edge of the picture, where some discs are.
    exact = replace(easy, geometry=PlausibilityLimits(camera_std_px=0.5, shape_px=1.0))
    rows = station[1].project([[x, y, 0.93] for x in (-1.3, -0.46) for y in (-0.66, 0.0, 0.66)])[:, 1]
    kept = label(exact).weight[:, 0] == 1
    above = batch.keypoints_px[:, 0, 1] < rows.min() - 3
    assert kept.any()
    assert above.any()
    assert not (kept & above).any()


def test_unlabelled_pictures_help_in_other_light(
    trained: PerceptionModel,
    discs: Callable[[int, int], Batch],
    station: tuple[Rig, CameraView],
    pixel_error: Callable[[PerceptionModel, Batch], float],
) -> None:
    def veiled(batch: Batch) -> Batch:
        return replace(batch, rgb=(batch.rgb * 0.6 + 40).astype(np.uint8))

    source, shifted = discs(64, 0), veiled(discs(32, 7))
    before = pixel_error(trained, shifted)
    settings = replace(FREE, steps=16, half_batch=6, rate=1e-3, decay=0.9, confidence=0.3)
    without, target = copy.deepcopy(trained), veiled(discs(32, 8)).rgb
    result = train_mean_teacher(trained, *station, source, target, 0, CPU, settings)
    train_mean_teacher(without, *station, source, target, 0, CPU, replace(settings, target_weight=0.0))
    assert result.stopped is None
    assert result.steps == 16
    assert 0.2 < result.kept <= 1.0
    assert pixel_error(trained, shifted) < 0.75 * before
    # More of the source alone, averaged alike, helps less.
    assert pixel_error(trained, shifted) < 0.9 * pixel_error(without, shifted)


def test_a_seed_fixes_training_and_statistics_stay(
    trained: PerceptionModel, discs: Callable[[int, int], Batch], station: tuple[Rig, CameraView]
) -> None:
    other, start = copy.deepcopy(trained), state(trained)
    source, target = discs(8, 0), discs(6, 9).rgb
    for model in (trained, other):
        train_mean_teacher(model, *station, source, target, 3, CPU, FREE)
    assert same(state(trained), state(other))
    for name, value in trained.state_dict().items():
        kept = "running" in name or "tracked" in name
        assert torch.equal(value, start[name]) == kept, name
    assert not trained.training


def test_a_loss_that_is_not_finite_puts_the_start_back(
    trained: PerceptionModel, discs: Callable[[int, int], Batch], station: tuple[Rig, CameraView]
) -> None:
    start = state(trained)
    wild = replace(FREE, steps=6, rate=1e30)
    result = train_mean_teacher(trained, *station, discs(8, 0), discs(6, 9).rgb, 0, CPU, wild)
    assert result.stopped is not None
    assert "finite" in result.stopped or "nan" in result.stopped or "inf" in result.stopped
    assert result.steps < 6
    assert same(start, state(trained))


def test_nothing_believed_is_training_on_the_source_alone(
    trained: PerceptionModel, discs: Callable[[int, int], Batch], station: tuple[Rig, CameraView]
) -> None:
    other = copy.deepcopy(trained)
    nobody = replace(FREE, confidence=1.1)
    result = train_mean_teacher(trained, *station, discs(8, 0), discs(6, 9).rgb, 0, CPU, nobody)
    train_mean_teacher(
        other, *station, discs(8, 0), discs(6, 9).rgb, 0, CPU, replace(FREE, confidence=0.0, target_weight=0.0)
    )
    assert result.kept == 0.0
    assert same(state(trained), state(other))


def test_messages_say_what_to_do(
    make_model: Callable[..., PerceptionModel], discs: Callable[[int, int], Batch], station: tuple[Rig, CameraView]
) -> None:
    source: Any = discs(4, 0)
    with pytest.raises(InputError, match="needs a model with the keypoints head, got regression"):
        train_mean_teacher(make_model("regression"), *station, source, source.rgb, 0, CPU)
    with pytest.raises(InputError, match="two or more of the target, got 4 and 1"):
        train_mean_teacher(make_model(), *station, source, source.rgb[:1], 0, CPU)
