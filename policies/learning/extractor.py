"""Perception backbones as feature extractors of Stable-Baselines3's policies."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from calibration.errors import InputError
from policies.backbone import Backbone
from policies.checkpoint import CARD, load_checkpoint
from policies.perception import freeze

# As `PerceptionModel` feeds its backbones, from 0 to 1.
_MEAN, _STD = 0.45, 0.225
_RATE = "rate_factor"


class BackboneExtractor(BaseFeaturesExtractor):
    """Pictures through a backbone, pooled and projected, beside the vectors of the observation.

    A frozen backbone keeps its weights and statistics. One that learns does so at `rate` times the policy's rate, which
    needs `AdamByPart` as the policy's optimizer.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        backbone: str = "regnetx_002",
        weights: str | None = None,
        rate: float = 0.0,
        features: int = 64,
    ) -> None:
        """Build it.

        Args:
            observation_space: with pictures, uint8 (3, H, W) or (H, W, 3), and vectors.
            backbone: timm name.
            weights: None for random values, "pretrained" for timm's, a safetensors file, or the folder of a perception
                model of this backbone, whose weights are taken.
            rate: of learning, as a factor on the policy's; 0 freezes it.
            features: for each picture.

        Raises:
            InputError: no picture in the observation, an unknown backbone, or weights of another.
        """
        pictures = {name: space for name, space in observation_space.spaces.items() if name.startswith("image_")}
        if not pictures:
            raise InputError(
                f"a backbone needs pictures in the observation, got {', '.join(observation_space.spaces)}; "
                "add --observation pixels or both"
            )
        vectors = sum(int(s.shape[0]) for n, s in observation_space.spaces.items() if n not in pictures and s.shape)
        super().__init__(observation_space, vectors + features * len(pictures))
        self._pictures = tuple(pictures)
        self._vectors = tuple(name for name in observation_space.spaces if name not in pictures)
        self.backbone = _made(backbone, weights)
        self.project = nn.Sequential(nn.Linear(self.backbone.channels[-1], features), nn.LayerNorm(features), nn.Tanh())
        self._frozen = rate == 0.0
        if self._frozen:
            freeze(self.backbone)
        for parameter in self.backbone.parameters():
            setattr(parameter, _RATE, rate)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Return features (N, F) of vectors (N, V) and pictures, 0 to 1, (N, 3, H, W)."""
        found = [observations[name].flatten(1) for name in self._vectors]
        for name in self._pictures:
            x = (observations[name] - _MEAN) / _STD
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self._frozen):
                pooled = self.backbone(x)[-1].mean(dim=(2, 3))
            found.append(self.project(pooled))
        return torch.cat(found, dim=1)

    def train(self, mode: bool = True) -> BackboneExtractor:
        """Set the mode of all but a frozen backbone."""
        super().train(mode)
        if self._frozen:
            freeze(self.backbone)
        return self


class AdamByPart(torch.optim.Adam):
    """Adam whose parameters may have a `rate_factor` on the learning rate that Stable-Baselines3 sets for all."""

    def __init__(self, params: Iterable[Tensor], **kwargs: Any) -> None:
        """Group the parameters by their factor."""
        groups: dict[float, list[Tensor]] = {}
        for parameter in params:
            groups.setdefault(getattr(parameter, _RATE, 1.0), []).append(parameter)
        self._factors = list(groups)
        super().__init__([{"params": group} for group in groups.values()], **kwargs)

    def step(self, closure: Any = None) -> Any:
        """Step each group at its own rate."""
        rates = [group["lr"] for group in self.param_groups]
        for group, factor in zip(self.param_groups, self._factors, strict=True):
            group["lr"] *= factor
        try:
            return super().step(closure)
        finally:
            for group, rate in zip(self.param_groups, rates, strict=True):
                group["lr"] = rate


def _made(name: str, weights: str | None) -> Backbone:
    if weights is None or weights == "pretrained":
        return Backbone(name, weights)
    folder = Path(weights)
    if any((place / CARD).is_file() for place in (folder, folder / "model")):
        model, card = load_checkpoint(folder, torch.device("cpu"))
        if card.spec.backbone != name:
            raise InputError(f"the model {folder} has the backbone {card.spec.backbone}, got --backbone {name}")
        return model.backbone
    return Backbone(name, folder)
