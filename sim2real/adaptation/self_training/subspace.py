"""Adapt at test time by aligning features in their significant subspace (SSA, Adachi et al. 2025)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.modules.batchnorm import _BatchNorm

from calibration.errors import InputError
from calibration.records import write_bytes
from policies.perception import PerceptionModel
from sim2real.adaptation.seen import see
from sim2real.adaptation.self_training.batch_norm import batches_of, evaluating

# A variance below this share of the source's pulls no harder than one at it.
_SMALLEST_SHARE = 1e-4


@dataclass(frozen=True, eq=False)
class SourceSubspace:
    """What is kept of the source: D features, K directions, L outputs.

    Attributes:
        mean: (D,) of the features.
        basis: (D, K), their principal directions, strongest first, orthonormal.
        variances: (K,) along them.
        weights: (K,), 1 plus how far the output goes with one unit along a direction.
        output_spread: (), root mean square distance of outputs from their mean.
    """

    mean: torch.Tensor
    basis: torch.Tensor
    variances: torch.Tensor
    weights: torch.Tensor
    output_spread: torch.Tensor

    def project(self, features: torch.Tensor) -> torch.Tensor:
        """Return features (N, D) in the subspace, (N, K)."""
        return (features.to(self.mean) - self.mean) @ self.basis

    def save(self, path: Path) -> None:
        """Write it to a safetensors file, at once."""
        from safetensors.torch import save

        write_bytes(path, save({name: value.contiguous().cpu() for name, value in vars(self).items()}))

    @classmethod
    def load(cls, path: Path) -> SourceSubspace:
        """Return what `save` wrote.

        Raises:
            InputError: no such file, or another one.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return cls(**load_file(path))
        except (OSError, SafetensorError, TypeError) as error:
            reason = (str(error).splitlines() or ["no reason given"])[0]
            raise InputError(f"subspace must be a file written by SourceSubspace.save, got {path}: {reason}") from None


@dataclass(frozen=True)
class SubspaceSettings:
    """How far one adaptation may go.

    Attributes:
        steps: of Adam.
        rate: its learning rate.
        largest_move: how far all scales and shifts together may be from the start, as a share of their norm there.
        smallest_spread: share of the source's spread of features below which pictures are too alike to adapt to; and of
            the spread of predictions, on the source or before, whichever is smaller, below which they have collapsed.
    """

    steps: int = 10
    rate: float = 3e-3
    largest_move: float = 0.2
    smallest_spread: float = 0.1


@dataclass(frozen=True)
class Adaptation:
    """What one adaptation did.

    Attributes:
        loss_before: on its pictures.
        loss_after: of the steps, even when they were taken back; NaN when none was taken.
        moved: how far scales and shifts are from the start afterwards, as a share of their norm there.
        rolled_back: None, or one line: why the model is as it was before.
    """

    loss_before: float
    loss_after: float
    moved: float
    rolled_back: str | None


@torch.no_grad()
def measure_source(
    model: PerceptionModel, pictures: NDArray[np.uint8], directions: int = 32, batch: int = 16
) -> SourceSubspace:
    """Return the significant subspace of a model's pooled features on source pictures, in float64.

    The weight of a direction is the paper's 1 + |w . v| where the output is linear in the features; for other heads
    w . v is replaced by the slope of the output's best linear fit, cov(z, output) / var(z), which is the same for
    linear ones.

    Args:
        model: as trained.
        pictures: uint8 (N, H, W, 3), two or more, of the source; no label is needed.
        directions: K at most; those along which features do not vary are left out.
        batch: pictures a forward pass.

    Raises:
        InputError: too few pictures, or features or outputs that do not vary.
    """
    if len(pictures) < 2 or directions < 1:
        raise InputError(
            f"a subspace needs two or more pictures and one or more directions, got {len(pictures)} and {directions}"
        )
    with evaluating(model):
        seen = [see(model, part) for part in batches_of(model, pictures, batch)]
    features = torch.cat([s.features for s in seen]).double()
    output = torch.cat([s.output for s in seen]).double()
    mean = features.mean(dim=0)
    singular, basis = torch.linalg.svd(features - mean, full_matrices=False)[1:]
    variances = singular.square() / len(features)
    count = min(directions, int((variances > _SMALLEST_SHARE * variances[0]).sum()))
    spread = output.var(dim=0, correction=0).sum().sqrt()
    if count == 0 or not float(spread) > 0.0:
        raise InputError("features or outputs do not vary over the source pictures; give pictures that differ")
    basis, variances = basis[:count].T, variances[:count]
    slopes = ((features - mean) @ basis).T @ (output - output.mean(dim=0)) / len(features) / variances[:, None]
    return SourceSubspace(mean, basis, variances, 1.0 + slopes.norm(dim=1), spread)


def symmetric_kl(mean: torch.Tensor, variance: torch.Tensor, source_variance: torch.Tensor) -> torch.Tensor:
    """Return KL(t || s) + KL(s || t) of Gaussians t = N(mean, variance) and s = N(0, source_variance), elementwise."""
    square = mean.square()
    return 0.5 * ((square + source_variance) / variance + (square + variance) / source_variance) - 1.0


def subspace_loss(source: SourceSubspace, features: torch.Tensor) -> torch.Tensor:
    """Return the weighted sum of `symmetric_kl` over the subspace's directions, for features (N, D), a scalar."""
    projected = source.project(features)
    # Pictures that are all alike have no variance, and the divergence no bound.
    variance = torch.maximum(projected.var(dim=0, correction=0), _SMALLEST_SHARE * source.variances)
    return (source.weights * symmetric_kl(projected.mean(dim=0), variance, source.variances)).sum()


class SubspaceAdapter:
    """Adapts a model to the pictures before it, by the scales and shifts of its backbone's batch normalization alone.

    Each adaptation is bounded, is taken back when it does not help, and `reset` undoes them all. Normalization keeps
    its running statistics, so that a picture's prediction never depends on the others of its batch.
    """

    def __init__(
        self, model: PerceptionModel, source: SourceSubspace, settings: SubspaceSettings | None = None
    ) -> None:
        """Keep the start.

        Raises:
            InputError: a backbone without batch normalization that has scale and shift, or features of another model.
        """
        self._model, self._settings = model, settings or SubspaceSettings()
        layers = [part for part in model.backbone.modules() if isinstance(part, _BatchNorm) and part.affine]
        if not layers:
            raise InputError(
                f"subspace alignment changes batch normalization, which backbone '{model.spec.backbone}' has not; "
                "choose another method, or a backbone such as resnet18"
            )
        if len(source.mean) != model.backbone.channels[-1]:
            raise InputError(
                f"the subspace must be of {model.backbone.channels[-1]} features, got {len(source.mean)}; "
                "measure it with this model"
            )
        self._parameters = [p for layer in layers for p in (layer.weight, layer.bias)]
        self._start = self._copied()
        device = self._parameters[0].device
        self._source = SourceSubspace(**{name: value.to(device) for name, value in vars(source).items()})

    def adapt(self, pictures: NDArray[np.uint8]) -> Adaptation:
        """Adapt to pictures uint8 (N, H, W, 3), two or more, all in one forward pass, and say what was done.

        Raises:
            InputError: fewer than two pictures.
        """
        if len(pictures) < 2:
            raise InputError(f"subspace alignment needs two or more pictures, got {len(pictures)}")
        s, before = self._settings, self._copied()
        wanted = [p.requires_grad for p in self._parameters]
        x = next(batches_of(self._model, pictures, len(pictures)))
        try:
            for p in self._parameters:
                p.requires_grad_(True)
            with torch.enable_grad(), evaluating(self._model):
                loss, outputs, features = self._look(x)
                first, first_outputs, after = float(loss.detach()), outputs, math.nan
                trouble = self._unfit(first, features)
                if trouble is None:
                    optimizer = torch.optim.Adam(self._parameters, lr=s.rate)
                    for _ in range(s.steps):
                        # Gradients go to these parameters only; those of others stay as they are.
                        for p, slope in zip(self._parameters, torch.autograd.grad(loss, self._parameters), strict=True):
                            p.grad = slope
                        optimizer.step()
                        self._bound()
                        loss, outputs, _ = self._look(x)
                    after = float(loss.detach())
                    trouble = self._worse(first, after, first_outputs, outputs)
            if trouble is not None:
                self._put(before)
        except BaseException:
            self._put(before)
            raise
        finally:
            for p, flag in zip(self._parameters, wanted, strict=True):
                p.requires_grad_(flag)
                p.grad = None
        return Adaptation(first, after, self._moved(), trouble)

    def reset(self) -> None:
        """Put scales and shifts back to the start, bit for bit."""
        self._put(self._start)

    def _look(self, x: torch.Tensor) -> tuple[torch.Tensor, float, float]:
        """Return the loss, the spread of outputs, and that of features in the subspace as a share of the source's."""
        seen, source = see(self._model, x), self._source
        projected = source.project(seen.features.detach())
        share = (projected.var(dim=0, correction=0).sum() / source.variances.sum()).sqrt()
        outputs = seen.output.detach().double().var(dim=0, correction=0).sum().sqrt()
        return subspace_loss(source, seen.features), float(outputs), float(share)

    def _unfit(self, loss: float, share: float) -> str | None:
        if not math.isfinite(loss):
            return f"the loss is {loss} before any step"
        if share < self._settings.smallest_spread:
            return f"pictures are too alike to adapt to: features vary {share:.3f} times as much as on the source"
        return None

    def _worse(self, first: float, after: float, outputs_before: float, outputs: float) -> str | None:
        if not (math.isfinite(after) and math.isfinite(outputs)):
            return "the loss or predictions are not finite"
        if after > first:
            return f"the loss rose from {first:.4g} to {after:.4g}"
        wide = min(outputs_before, float(self._source.output_spread))
        if outputs < self._settings.smallest_spread * wide:
            return f"predictions collapsed: their spread fell from {wide:.3g} to {outputs:.3g}"
        return None

    @torch.no_grad()
    def _bound(self) -> None:
        """Draw scales and shifts back to the largest distance from the start that is allowed."""
        moved = self._moved()
        if moved > self._settings.largest_move:
            for p, start in zip(self._parameters, self._start, strict=True):
                p.copy_(start + (p - start) * (self._settings.largest_move / moved))

    @torch.no_grad()
    def _moved(self) -> float:
        apart = sum(float((p - s).double().square().sum()) for p, s in zip(self._parameters, self._start, strict=True))
        return math.sqrt(apart / sum(float(s.double().square().sum()) for s in self._start))

    def _copied(self) -> list[torch.Tensor]:
        return [p.detach().clone() for p in self._parameters]

    @torch.no_grad()
    def _put(self, values: list[torch.Tensor]) -> None:
        for p, value in zip(self._parameters, values, strict=True):
            p.copy_(value)
