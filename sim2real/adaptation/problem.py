"""What label-free adaptation is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.rig import Rig
from calibration.view import CameraView
from envs.rendering.choice import RendererName
from sim2real.randomization import RandomizationSpec


@dataclass(frozen=True, eq=False)
class Problem:
    """What label-free adaptation is given.

    Attributes:
        rig: the station.
        view: its camera, as well as it is known, at the size of the photographs.
        spec: what varies in simulation.
        pictures: unlabelled photographs (N, H, W, 3) at the size that the model sees.
        seed: of everything that is random.
        device: where the model is.
        folder: for files that frames are drawn with.
        renderer: what draws them.
        state: (N, D), what the station's own joints measured at each photograph, as of
            `sim2real.adaptation.self_supervised.state.measured_state`; None where no method asks for it.
    """

    rig: Rig
    view: CameraView
    spec: RandomizationSpec
    pictures: NDArray[np.uint8]
    seed: int
    device: torch.device
    folder: Path
    renderer: RendererName = "auto"
    state: NDArray[np.float64] | None = None
