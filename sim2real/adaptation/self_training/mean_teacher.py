"""Mean teacher for keypoints: learn from what an average of the model says (Tarvainen and Valpola 2017)."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from calibration.errors import InputError
from calibration.rig import Rig
from calibration.view import CameraView
from policies.device import mixed_precision
from policies.perception import PerceptionModel, freeze_normalization
from policies.views import STRONG, WEAK, PictureView, ViewRange
from sim2real.adaptation.seen import see
from sim2real.adaptation.self_training.batch_norm import batches_of, evaluating
from sim2real.adaptation.self_training.collapse import Watch
from sim2real.adaptation.self_training.consistency import agree
from sim2real.adaptation.self_training.plausibility import PlausibilityLimits, plausible
from sim2real.pretrain import batch_tensors, schedule
from sim2real.progress import progress
from sim2real.stream import Batch

_WATCHED = 32


@dataclass(frozen=True)
class MeanTeacherSettings:
    """How the student learns and when the teacher is believed.

    Attributes:
        steps: of training.
        rate: learning rate.
        half_batch: labelled source pictures, and unlabelled target pictures, a step.
        decay: of the teacher's average, once it has seen enough steps.
        target_weight: of the loss on pseudo-labels, after the ramp.
        ramp: share of the steps over which that weight grows.
        views: weak views that the teacher compares.
        confidence: below which a teacher's keypoint is not believed, 0 to 1.
        spread_px: mean distance between the views' keypoints above which one is not believed.
        weak: limits of the teacher's views.
        strong: limits of the student's view.
        geometry: limits of the geometric filter; None leaves it out.
        check_every: steps between looks for collapse.
    """

    steps: int = 120
    rate: float = 2e-4
    half_batch: int = 8
    decay: float = 0.98
    target_weight: float = 1.0
    ramp: float = 0.25
    views: int = 2
    confidence: float = 0.5
    spread_px: float = 2.0
    weak: ViewRange = WEAK
    strong: ViewRange = STRONG
    geometry: PlausibilityLimits | None = field(default_factory=PlausibilityLimits)
    check_every: int = 10


@dataclass(frozen=True)
class MeanTeacherResult:
    """How training went.

    Attributes:
        steps: that were taken.
        kept: share of the teacher's keypoints that were believed; near 0, hardly anything was learned from the target,
            and the model must be brought closer by another method before.
        stopped: None, or one line: why training stopped early and the last good state was put back.
    """

    steps: int
    kept: float
    stopped: str | None


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """What the teacher says about N pictures.

    Attributes:
        pixels: (N, K, 2), in pixels of the pictures.
        weight: (N, K), 1 where a keypoint is believed, else 0.
    """

    pixels: NDArray[np.float64]
    weight: NDArray[np.float64]


def train_mean_teacher(
    model: PerceptionModel,
    rig: Rig,
    view: CameraView,
    source: Batch,
    target_pictures: NDArray[np.uint8],
    seed: int,
    device: torch.device,
    settings: MeanTeacherSettings | None = None,
) -> MeanTeacherResult:
    """Train the model in place on labelled source and unlabelled target pictures; it ends as the teacher.

    The statistics of batch normalization stay as they are: source and target would share one batch. Recalibrate them
    before. When the loss stops being finite or predictions on the target collapse, the last good teacher is put back.

    Args:
        model: with a keypoint head, on `device`.
        rig: the station.
        view: its camera at the size of the pictures, for the geometric filter.
        source: labelled pictures.
        target_pictures: uint8 (N, H, W, 3).
        seed: of everything that is drawn.
        device: where training runs.
        settings: default: those of `MeanTeacherSettings`.

    Raises:
        InputError: a regression head, or fewer than two target pictures or no source pictures.
    """
    s = settings or MeanTeacherSettings()
    if model.spec.head != "keypoints":
        raise InputError(f"the mean teacher needs a model with the keypoints head, got {model.spec.head}")
    if len(target_pictures) < 2 or len(source.rgb) == 0:
        raise InputError(
            f"the mean teacher needs labelled source pictures and two or more of the target, got {len(source.rgb)} and "
            f"{len(target_pictures)}"
        )
    teacher = copy.deepcopy(model).eval()
    watched = target_pictures[:_WATCHED]
    watch = Watch(teacher, *_look(teacher, watched))
    optimizer = torch.optim.AdamW(model.parameters(), lr=s.rate, weight_decay=1e-3)
    believed, asked, stopped, step = 0.0, 0, None, 0
    torch.manual_seed(seed)
    model.train()
    freeze_normalization(model)
    with progress("mean teacher", s.steps, "steps") as advance:
        for step in range(1, s.steps + 1):
            rng = np.random.default_rng([seed, step])
            chosen = target_pictures[rng.integers(len(target_pictures), size=s.half_batch)]
            labels = pseudo_labels(teacher, rig, view, chosen, device, rng, s)
            believed, asked = believed + float(labels.weight.sum()), asked + labels.weight.size
            strong = strong_views(chosen, labels, rng, s.strong)
            taken = rng.integers(len(source.rgb), size=s.half_batch)
            loss = _step(model, optimizer, (source.take(taken), strong), _target_weight(s, step), s, step, device)
            if math.isfinite(loss):
                ema_update(teacher, model, min(s.decay, 1.0 - 1.0 / (step + 1)))
            if not math.isfinite(loss) or step % s.check_every == 0 or step == s.steps:
                stopped = watch.check(loss, *_look(teacher, watched))
            advance(step, f"loss {loss:.3f}")
            if stopped is not None:
                watch.restore()
                break
    model.load_state_dict(teacher.state_dict())
    model.eval()
    return MeanTeacherResult(step, believed / max(asked, 1), stopped)


def pseudo_labels(
    teacher: PerceptionModel,
    rig: Rig,
    view: CameraView,
    pictures: NDArray[np.uint8],
    device: torch.device,
    rng: np.random.Generator,
    settings: MeanTeacherSettings,
) -> PseudoLabels:
    """Return the teacher's keypoints of pictures, and which are believed: confident, the same in weak views, possible.

    Possible by geometry is a frame as a whole; confidence and agreement are a keypoint's own.
    """
    agreement = agree(teacher, pictures, device, rng, settings.views, settings.weak)
    kept = (agreement.confidence >= settings.confidence) & (agreement.spread_px <= settings.spread_px)
    if settings.geometry is not None:
        # Geometry is slow beside the rest, so it looks only at frames that something is left of.
        left = np.flatnonzero(kept.any(axis=1))
        possible = np.zeros(len(pictures), bool)
        possible[left] = plausible(rig, view, agreement.keypoints_px[left], settings.geometry)
        kept &= possible[:, None]
    return PseudoLabels(agreement.keypoints_px, kept.astype(np.float64))


def strong_views(
    pictures: NDArray[np.uint8], labels: PseudoLabels, rng: np.random.Generator, limits: ViewRange
) -> Batch:
    """Return a drawn view of each picture with its pseudo-label moved along.

    `visible` holds the weights, 0 or 1; a keypoint that leaves the picture has weight 0. `points_m` is NaN: nothing
    that is learned here reads it.
    """
    height, width = pictures.shape[1:3]
    views = [PictureView.draw(rng, (width, height), limits) for _ in pictures]
    pixels = np.array([v.forward(p) for v, p in zip(views, labels.pixels, strict=True)])
    inside = ((pixels >= -0.5) & (pixels <= np.array([width, height]) - 0.5)).all(axis=2)
    rgb = np.array([v(p) for v, p in zip(views, pictures, strict=True)], np.uint8)
    return Batch(rgb, pixels, labels.weight * inside, np.full((len(pictures), 3), np.nan))


@torch.no_grad()
def ema_update(teacher: nn.Module, student: nn.Module, decay: float) -> None:
    """Set the teacher's state to decay * teacher + (1 - decay) * student, buffers included; integers are copied."""
    new = student.state_dict()
    for name, value in teacher.state_dict().items():
        if value.is_floating_point():
            # In this form, what is equal in both stays so to the bit.
            value.lerp_(new[name], 1.0 - decay)
        else:
            value.copy_(new[name])


def _step(
    model: PerceptionModel,
    optimizer: torch.optim.Optimizer,
    parts: tuple[Batch, Batch],
    target_weight: float,
    settings: MeanTeacherSettings,
    step: int,
    device: torch.device,
) -> float:
    """Take one step, unless the loss is not finite; return the loss."""
    for group in optimizer.param_groups:
        group["lr"] = settings.rate * schedule((step - 1) / settings.steps)
    labelled, (pictures, pixels, weight, points) = (batch_tensors(part, device) for part in parts)
    with mixed_precision(device):
        # The loss is a mean over keypoints that are believed; few of them shall not count like many.
        believed = weight.mean()
        loss = model.loss(*labelled) + target_weight * believed * model.loss(pictures, pixels, weight, points)
    value = float(loss.detach())
    if math.isfinite(value):
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    return value


def _target_weight(settings: MeanTeacherSettings, step: int) -> float:
    """Return the weight of the target's loss: exp(-5 (1 - t)^2) over the ramp, as in the paper."""
    t = min(step / max(settings.ramp * settings.steps, 1.0), 1.0)
    return settings.target_weight * math.exp(-5.0 * (1.0 - t) ** 2)


@torch.no_grad()
def _look(model: PerceptionModel, pictures: NDArray[np.uint8]) -> tuple[torch.Tensor, torch.Tensor]:
    with evaluating(model):
        seen = [see(model, part) for part in batches_of(model, pictures, 16)]
    return torch.cat([s.output for s in seen]), torch.cat([s.features for s in seen])
