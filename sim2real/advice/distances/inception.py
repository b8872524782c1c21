"""Features of pictures by Inception v3, for distances that people know; its weights are a file that the user has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn import functional

from calibration.errors import InputError
from policies.timm_import import import_timm

_SIDE_PX = 299
_BATCH = 8


class Inception:
    """Inception v3 (Szegedy et al. 2016) up to its last pooling, as the Frechet inception distance uses it.

    Pictures are resized to 299 x 299 and scaled to -1 to 1. Values compare only with those of the same weight file.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        """Load the weights.

        Args:
            weights: safetensors state dict with torchvision's or timm's names; classifiers in it are not read.
            device: that computes.

        Raises:
            InputError: the file cannot be read, or is of another network.
        """
        self._network: Any = import_timm().create_model("inception_v3", pretrained=False, num_classes=0)
        wanted = set(self._network.state_dict())
        try:
            held = {name: value for name, value in load_file(weights).items() if name in wanted}
            # Counters of batches are not in every file, and nothing reads them.
            missing = sorted(n for n in wanted - set(held) if not n.endswith("num_batches_tracked"))
            if missing:
                raise ValueError(f"it lacks {missing[0]} and {len(missing) - 1} more")
            self._network.load_state_dict(held, strict=False)
        except (RuntimeError, OSError, ValueError, SafetensorError) as error:
            raise InputError(
                f"inception must be a safetensors file of Inception v3 with the names of timm or torchvision, got "
                f"{weights}: {error}"
            ) from None
        self._network.to(device).eval()
        self._device = device

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return features (N, 2048) of pictures uint8 (N, H, W, 3)."""
        found = []
        with torch.no_grad():
            for start in range(0, len(pictures), _BATCH):
                part = torch.from_numpy(np.ascontiguousarray(pictures[start : start + _BATCH])).to(self._device)
                x = part.permute(0, 3, 1, 2).float() / 127.5 - 1.0
                x = functional.interpolate(x, (_SIDE_PX, _SIDE_PX), mode="bilinear", antialias=True)
                found.append(self._network(x).double().cpu().numpy())
        return np.concatenate(found)
