from typing import Any

import numpy as np
import pytest
import torch

from calibration.rig_file import load_rig
from envs.rendering.choice import make_renderer
from policies.perception import ModelSpec, PerceptionModel
from sim2real.adaptation.fine_tuning.sharing.frames import draw_task_batch
from sim2real.adaptation.fine_tuning.sharing.model import (
    TASKS,
    MultiTaskModel,
    TaskBatch,
    cells,
    multi_task_step,
    pose_numbers,
    rotation_of,
)
from sim2real.presets import load_preset, rig_spec
from sim2real.stream import SimulatedFrames

CPU = torch.device("cpu")
SIZE = (64, 48)
WEIGHTS = {"keypoints": 1.0, "mask": 0.5, "depth": 2.0, "pose": 0.3}


def make(tasks: Any = TASKS, size: tuple[int, int] = SIZE) -> MultiTaskModel:
    torch.manual_seed(0)
    return MultiTaskModel(PerceptionModel(ModelSpec("test_resnet", "keypoints", 2, size)), 3, tasks).eval()


@pytest.fixture
def batch(make_batch: Any) -> TaskBatch:
    pictures, pixels, weight, _ = make_batch(4)
    mask = (pictures[:, 0] > 200).long() * 2
    depth = torch.where(mask > 0, 0.8, 1.5)
    depth[:, :4] = torch.nan
    depth[0, 10, 10] = torch.inf
    pose = torch.eye(4).repeat(4, 1, 1)
    pose[:, :2, 3] = pixels[:, 0] / 64
    pose[:, 2, 3] = 0.8
    return TaskBatch(pictures, pixels, weight, mask, depth, pose)


def test_the_trunks_gradient_is_the_weighted_sum_of_the_tasks_gradients(batch: TaskBatch) -> None:
    model = make()
    trunk = model.trunk()
    single = {
        task: torch.autograd.grad(loss, trunk, retain_graph=True, allow_unused=True)
        for task, loss in model.losses(batch).items()
    }
    assert set(single) == set(TASKS)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    losses = multi_task_step(model, optimizer, batch, WEIGHTS, CPU)
    assert set(losses) == set(TASKS)
    for k, parameter in enumerate(trunk):
        parts = [WEIGHTS[task] * grads[k] for task, grads in single.items() if grads[k] is not None]
        torch.testing.assert_close(parameter.grad, torch.stack(parts).sum(dim=0), rtol=1e-4, atol=1e-6)
    for task, grads in single.items():
        assert any(g is not None and g.abs().max() > 0 for g in grads), f"{task} does not reach the trunk"


def test_a_task_without_weight_trains_nothing_but_is_reported(batch: TaskBatch) -> None:
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    losses = multi_task_step(model, optimizer, batch, {**WEIGHTS, "depth": 0.0}, CPU)
    assert losses["depth"] > 0
    assert all(p.grad is None for p in model.heads["depth"].parameters())
    with pytest.raises(ValueError, match="every task needs a weight, got none for mask, depth, pose"):
        multi_task_step(model, optimizer, batch, {"keypoints": 1.0}, CPU)


def test_labels_that_do_not_count_change_nothing(batch: TaskBatch) -> None:
    model = make()
    plain = {task: float(loss.detach()) for task, loss in model.losses(batch).items()}
    batch.depth_m[:, :4] = -1.0
    again = {task: float(loss.detach()) for task, loss in model.losses(batch).items()}
    assert again == plain
    batch.depth_m.fill_(torch.nan)
    batch.pose.fill_(torch.nan)
    batch.weight.zero_()
    empty = model.losses(batch)
    assert float(empty["depth"].detach()) == float(empty["pose"].detach()) == float(empty["keypoints"].detach()) == 0.0
    sum(empty.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_losses_by_hand(batch: TaskBatch) -> None:
    model = make()
    out = model(batch.pictures)
    losses = model.losses(batch)
    log_depth = out["depth"][:, 0, :12].detach().numpy()
    depth, mask = batch.depth_m.numpy()[:, 2::4, 2::4], batch.mask.numpy()[:, 2::4, 2::4]
    counts = np.isfinite(depth)
    wanted = np.abs(log_depth - np.log(np.where(counts, depth, 1.0)))[counts].mean()
    assert float(losses["depth"].detach()) == pytest.approx(wanted, rel=1e-5)
    # The padded bottom of the picture, 48 to 64 pixels, has no label.
    scores = out["mask"].detach().numpy()[:, :, : mask.shape[1]]
    share = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    by_cell = -np.log(np.take_along_axis(share, mask[:, None], axis=1))
    assert float(losses["mask"].detach()) == pytest.approx(by_cell.mean(), rel=1e-5)


def test_cells_take_the_middle_pixel_and_nothing_from_the_padding() -> None:
    labels = torch.arange(66 * 70).reshape(1, 66, 70)
    found = cells(labels, 24, 24, 4, -100)
    assert found[0, 0, 0] == 2 * 70 + 2
    assert found[0, 15, 16] == 62 * 70 + 66
    assert (found[0, 16:] == -100).all()
    assert (found[0, :, 17:] == -100).all()


def test_a_pose_goes_through_its_numbers() -> None:
    generator = torch.Generator().manual_seed(0)
    rotation, _ = torch.linalg.qr(torch.randn(5, 3, 3, generator=generator))
    rotation = rotation * torch.linalg.det(rotation)[:, None, None]
    pose = torch.eye(4).repeat(5, 1, 1)
    pose[:, :3, :3] = rotation
    torch.testing.assert_close(rotation_of(pose_numbers(pose) * 1.0), rotation, atol=1e-5, rtol=0)


def test_all_tasks_are_learned_together(batch: TaskBatch) -> None:
    model = make()
    model.train()
    for m in model.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    weights = dict.fromkeys(TASKS, 1.0)
    losses = [multi_task_step(model, optimizer, batch, weights, CPU) for _ in range(60)]
    for task in ("mask", "depth", "pose"):
        assert losses[-1][task] < 0.5 * losses[0][task], task
    assert losses[-1]["keypoints"] < losses[0]["keypoints"] - 1.0


def test_the_perception_model_inside_is_whole(batch: TaskBatch) -> None:
    model = make(("keypoints", "depth"))
    assert model.tasks == ("keypoints", "depth")
    assert set(model.heads) == {"depth"}
    assert torch.equal(model(batch.pictures)["keypoints"].logits, model.perception(batch.pictures).logits)
    with pytest.raises(ValueError, match="tasks must be some of keypoints, mask, depth, pose"):
        make(("colour",))
    with pytest.raises(ValueError, match="needs a model with the keypoints head"):
        MultiTaskModel(PerceptionModel(ModelSpec("test_resnet", "regression", 2, SIZE)), 3)


def test_simulated_frames_have_the_labels_of_all_tasks() -> None:
    rig = load_rig("cube_on_table")
    stream = SimulatedFrames(rig, rig_spec(rig, load_preset(rig.preset)), 4, renderer="cpu")
    renderer = make_renderer(rig, "cpu", 1)
    found = draw_task_batch(stream, renderer, [3, 8])
    plain = stream.draw([3, 8])
    stream.close()
    renderer.close()
    np.testing.assert_array_equal(found.pictures.permute(0, 2, 3, 1).numpy(), plain.rgb)
    np.testing.assert_allclose(found.pixels.numpy(), plain.keypoints_px, rtol=1e-5)
    names = [b.name for b in rig.bodies]
    number = names.index(rig.keypoints[0].frame) + 1
    for k in range(2):
        seen = found.mask[k] == number
        assert seen.any() == (plain.visible[k, 0] > 0)
        if not seen.any():
            continue
        # The body's centre is in the camera's z direction a little behind what is seen of it.
        nearest = float(found.depth_m[k][seen].min())
        assert nearest < float(found.pose[k, 2, 3]) < nearest + 0.2
    assert found.mask.max() <= len(names)
    rotation = found.pose[:, :3, :3].double()
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).double().repeat(2, 1, 1), atol=1e-5, rtol=0)
    width, height = rig.input_size_px
    spec = ModelSpec("test_resnet", "keypoints", len(rig.keypoints), (width, height))
    model = MultiTaskModel(PerceptionModel(spec), len(names)).eval()
    assert all(loss.isfinite() for loss in model.losses(found).values())
