"""Image encoders by timm name, as a pyramid of feature maps."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from calibration.errors import InputError
from policies.timm_import import import_timm

logger = logging.getLogger(__name__)

# Where weights came from: given by file, fetched from the hub, or none at all.
FILE, PRETRAINED, RANDOM = "file", "pretrained", "random"
_COARSEST = 32


class Backbone(nn.Module):
    """A timm model that returns feature maps from stride 4 to stride 32.

    Attributes:
        name: timm's name.
        channels: of each map, finest first.
        strides: of each map.
        weights: "file", "pretrained" or "random".
    """

    def __init__(self, name: str, weights: str | Path | None = None) -> None:
        """Build the model.

        Args:
            name: any timm model that offers feature maps.
            weights: None for random values, "pretrained" for timm's if they can be fetched, else a
                safetensors file.

        Raises:
            InputError: no such model, or a file whose weights are of another architecture.
        """
        super().__init__()
        timm = import_timm()
        known = timm.list_models()
        if name not in known:
            # A name with a tag, such as resnet18.a1_in1k, names weights; a misspelt one looks like another.
            stem = name.split(".")[0]
            close = [n for n in known if n.startswith(stem)] or difflib.get_close_matches(stem, known, 6, 0.7)
            hint = f"close: {', '.join(close[:6])}" if close else "see timm.list_models()"
            raise InputError(f"backbone must be a timm model, got '{name}'; {hint}")
        self.name = name
        self.weights = RANDOM
        probe = timm.create_model(name, features_only=True, pretrained=False)
        strides = probe.feature_info.reduction()
        wanted = tuple(k for k, s in enumerate(strides) if 4 <= s <= _COARSEST)
        if not wanted:
            raise InputError(f"backbone '{name}' has no feature maps between stride 4 and {_COARSEST}, got {strides}")
        self.net = self._create(timm, name, wanted, weights == PRETRAINED)
        self.channels: list[int] = self.net.feature_info.channels()
        self.strides: list[int] = self.net.feature_info.reduction()
        self._channels_come_last = getattr(self.net, "output_fmt", None) == "NHWC"
        if weights is not None and weights != PRETRAINED:
            load_weights(self.net, Path(weights))
            self.weights = FILE

    def _create(self, timm: Any, name: str, wanted: tuple[int, ...], pretrained: bool) -> Any:
        if pretrained:
            try:
                net = timm.create_model(name, features_only=True, out_indices=wanted, pretrained=True)
            except Exception as error:  # noqa: BLE001 - the hub client raises many kinds when it cannot be reached
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                logger.warning("no pretrained weights for %s (%s): starting from random values", name, reason)
            else:
                self.weights = PRETRAINED
                return net
        return timm.create_model(name, features_only=True, out_indices=wanted, pretrained=False)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return feature maps (N, C, H / stride, W / stride), finest first, of pictures (N, 3, H, W)."""
        maps: list[torch.Tensor] = self.net(x)
        return [m.permute(0, 3, 1, 2) for m in maps] if self._channels_come_last else maps


def load_weights(module: nn.Module, path: Path) -> None:
    """Load a safetensors state dict, of the module itself or of the whole timm model that it is a part of.

    Raises:
        InputError: no such file, no safetensors, or shapes of another architecture.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"weights must be a safetensors file, got {path}: {error}") from None
    own = module.state_dict()
    state = {**_names_in_part(state), **state}
    wrong = [k for k, v in own.items() if k in state and state[k].shape != v.shape]
    missing = [k for k in own if k not in state]
    if wrong or missing:
        key = (wrong or missing)[0]
        got = tuple(state[key].shape) if key in state else "nothing"
        raise InputError(
            f"weights {path} are of another architecture: {len(wrong)} of {len(own)} tensors differ in "
            f"shape, {len(missing)} are missing; '{key}' must be {tuple(own[key].shape)}, got {got}"
        )
    module.load_state_dict({k: state[k] for k in own})


def _names_in_part(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of a whole timm model under the names that they have in its feature extractor.

    timm takes stages out of their list (`stages.0.x` becomes `stages_0.x`) or puts the model one level deeper
    (`model.stages.0.x`).
    """
    renamed = {}
    for name, value in state.items():
        first, _, rest = name.partition(".")
        renamed[f"{first}_{rest}"] = value
        renamed[f"model.{name}"] = value
    return renamed
