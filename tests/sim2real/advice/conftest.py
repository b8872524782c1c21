from pathlib import Path

import numpy as np
import pytest
import torch

from calibration.rig_file import load_rig
from calibration.view import CameraView
from envs.standin import write_standin
from policies.checkpoint import ModelCard, save_checkpoint
from policies.perception import ModelSpec, PerceptionModel


def save_model(folder: Path, rig_name: str, head: str = "keypoints", seed: int = 0) -> Path:
    """A model with random weights; its normalization has seen noise, so that its features are of a usual size."""
    rig = load_rig(rig_name)
    spec = ModelSpec("test_resnet", head, len(rig.keypoints), rig.input_size_px)  # type: ignore[arg-type]
    torch.manual_seed(seed)
    model = PerceptionModel(spec).train()
    with torch.no_grad():
        model(torch.rand(4, 3, *rig.input_size_px[::-1]) * 255)
    card = ModelCard(spec, rig, CameraView.of(rig), "as in the rig file", "none", "random weights")
    save_checkpoint(folder, model, card, {"command": "test"})
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of models: first and second of cube_on_table, tool of psm_tool, regression."""
    folder = tmp_path_factory.mktemp("advice_models")
    save_model(folder / "first", "cube_on_table")
    save_model(folder / "second", "cube_on_table", seed=1)
    save_model(folder / "tool", "psm_tool")
    save_model(folder / "regression", "cube_on_table", "regression")
    return folder


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 16 labelled frames of a held-out simulation."""
    out = tmp_path_factory.mktemp("advice_frames") / "data"
    write_standin(load_rig("cube_on_table"), out, 16, 3)
    return out


@pytest.fixture(scope="session")
def unlabelled(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures without labels, the first of them twice."""
    out = tmp_path_factory.mktemp("advice_unlabelled")
    paths = sorted(p for p in photographs.rglob("*") if p.suffix in (".png", ".jpg"))
    for k, path in enumerate([paths[0], *paths]):
        (out / f"{k:02d}{path.suffix}").write_bytes(path.read_bytes())
    return out


@pytest.fixture(scope="session")
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (5, 48, 64, 3), np.uint8)
