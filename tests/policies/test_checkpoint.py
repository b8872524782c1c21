"""What is saved comes back bit for bit, and a folder that is no model says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from calibration.errors import InputError
from calibration.pose import look_at
from calibration.rig_file import load_rig
from calibration.view import CameraView
from policies import checkpoint
from policies.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from policies.perception import ModelSpec, PerceptionModel

CPU = torch.device("cpu")
SPEC = ModelSpec("test_resnet", "keypoints", 2, (64, 48), (0.1, 0.2, 1 / 3), (1.0, 2.0, 3.0))


def card(rig_name: str = "psm_tool") -> ModelCard:
    rig = load_rig(rig_name)
    view = CameraView(CameraView.of(rig).intrinsics, look_at((1 / 3, 0.1, 0.7), (0.0, 0.0, 0.0)))
    return ModelCard(SPEC, rig, view, "refitted on 5 labelled frames", "5 labelled frames", "a test")


def model() -> PerceptionModel:
    """Return a model whose statistics are not those of a fresh one, in the memory format of training."""
    torch.manual_seed(0)
    made = PerceptionModel(SPEC).to(memory_format=torch.channels_last)
    made.train()
    with torch.no_grad():
        made(torch.rand(4, 3, 48, 64) * 255)
    return made


def change_card(folder: Path, change: Any) -> None:
    path = folder / "model_card.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize("rig_name", ["cube_on_table", "psm_tool"])
def test_round_trip_is_bitwise(rig_name: str, tmp_path: Path) -> None:
    first = model()
    save_checkpoint(tmp_path / "model", first, card(rig_name), {"command": "test"})
    assert first.training, "saving must not change the model's mode"
    second, found = load_checkpoint(tmp_path / "model", CPU)
    assert found == card(rig_name)
    assert not second.training
    assert second.state_dict().keys() == first.state_dict().keys()
    for name, value in second.state_dict().items():
        assert torch.equal(value, first.state_dict()[name]), name
        assert value.dtype == first.state_dict()[name].dtype
    pictures = np.random.default_rng(0).integers(0, 255, (2, 48, 64, 3), np.uint8)
    np.testing.assert_array_equal(second.predict(pictures, CPU).keypoints_px, first.predict(pictures, CPU).keypoints_px)


def test_folder_holds_weights_and_card_only(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a" / "model", model(), card(), {"command": "test", "seed": 3})
    names = sorted(p.name for p in (tmp_path / "a" / "model").iterdir())
    assert names == ["model_card.json", "weights.safetensors"]
    record = json.loads((tmp_path / "a" / "model" / "model_card.json").read_text())
    assert record["provenance"] == {"command": "test", "seed": 3}
    assert record["value"]["selection"] == "5 labelled frames"


def test_run_folder_is_as_good_as_its_model(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "run" / "model", model(), card(), {})
    (tmp_path / "run" / "config.json").write_text("{}")
    assert load_checkpoint(tmp_path / "run", CPU)[1] == card()


def test_unfinished_run_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="the run is not finished; rerun it with --resume"):
        load_checkpoint(tmp_path, CPU)


def test_killed_while_saving_is_unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")

    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write_record", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path / "model", model(), card(), {})
    with pytest.raises(InputError, match="the run is not finished"):
        load_checkpoint(tmp_path, CPU)


@pytest.mark.parametrize("exists", [True, False])
def test_folder_without_a_model(exists: bool, tmp_path: Path) -> None:
    folder = tmp_path if exists else tmp_path / "missing"
    with pytest.raises(InputError, match=r"must be a folder made by pretrain or finetune, got .*model_card\.json"):
        load_checkpoint(folder, CPU)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["value"].update(licence="MIT"), "unknown key 'licence'"),
        (lambda d: d["value"]["spec"].update(keypoint=2), "unknown key 'keypoint'; did you mean 'keypoints'"),
        (lambda d: d["value"]["spec"].pop("backbone"), "missing key 'backbone'"),
        (
            lambda d: d["value"]["spec"].update(head="depth"),
            "must be one of keypoints, regression, got 'depth'",
        ),
        (lambda d: d["value"]["spec"].update(input_size_px=[64]), "must have 2 values, got 1"),
        (lambda d: d.update(version=99), "must have version 1, got 99"),
        (lambda d: d.update(kind="Rig"), "must hold a ModelCard"),
    ],
    ids=["unknown", "misspelt", "missing", "head", "size", "version", "kind"],
)
def test_card_that_cannot_be_read_names_the_file(change: Any, message: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, model(), card(), {})
    change_card(tmp_path, change)
    with pytest.raises(InputError, match=rf"model_card\.json.*{message}") as error:
        load_checkpoint(tmp_path, CPU)
    assert "\n" not in str(error.value)


def test_card_of_other_weights_is_an_input_error(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, model(), card(), {})
    change_card(tmp_path, lambda d: d["value"]["spec"].update(keypoints=5))
    with pytest.raises(InputError, match=r"weights\.safetensors are of another architecture: .*'head\.out"):
        load_checkpoint(tmp_path, CPU)


@pytest.mark.parametrize("share", [None, 0.0, 0.5, 0.999])
def test_lost_or_cut_weights_are_an_input_error(share: float | None, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, model(), card(), {})
    path = tmp_path / "weights.safetensors"
    content = path.read_bytes()
    path.unlink()
    if share is not None:
        path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"must be a safetensors file, got .*weights\.safetensors"):
        load_checkpoint(tmp_path, CPU)
