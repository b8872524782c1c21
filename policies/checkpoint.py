"""Save and load models: weights.safetensors and model_card.json in one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from calibration.errors import InputError
from calibration.records import read_record, write_record
from calibration.rig import Rig
from calibration.view import CameraView
from policies.backbone import load_weights
from policies.perception import ModelSpec, PerceptionModel
from policies.weights import write_weights

WEIGHTS, CARD = "weights.safetensors", "model_card.json"


@dataclass(frozen=True)
class ModelCard:
    """What a model is, where it comes from and how it is to be used.

    Attributes:
        spec: how to build it.
        rig: the station that it was made for.
        camera: the camera that lifts its keypoints to labels.
        camera_source: how that camera is known.
        selection: what real labels were used to make the model: "none", or "k labelled frames".
        trained_on: for people.
    """

    spec: ModelSpec
    rig: Rig
    camera: CameraView
    camera_source: str
    selection: str
    trained_on: str


def save_checkpoint(folder: Path, model: PerceptionModel, card: ModelCard, provenance: dict[str, object]) -> None:
    """Write weights and card; the card comes last, so that a folder with a card is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / WEIGHTS, model)
    write_record(folder / CARD, card, provenance)


def load_checkpoint(folder: Path, device: torch.device) -> tuple[PerceptionModel, ModelCard]:
    """Return the model of a run or of a checkpoint folder, in evaluation mode.

    Raises:
        InputError: no finished model there, or files that do not fit each other.
    """
    place = folder / "model" if (folder / "model").is_dir() else folder
    if not (place / CARD).is_file():
        unfinished = (folder / "config.json").is_file()
        hint = "the run is not finished; rerun it with --resume" if unfinished else f"it has no {CARD}"
        raise InputError(f"model must be a folder made by pretrain or finetune, got {folder}: {hint}")
    card = read_record(place / CARD, ModelCard)
    model = PerceptionModel(card.spec)
    load_weights(model, place / WEIGHTS)
    model.eval()
    return model.to(device=device, memory_format=torch.channels_last), card  # type: ignore[call-overload]
