"""The command finetune: that its flags reach the training, and that bad ones write nothing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from calibration.records import write_json
from calibration.rig_file import load_rig
from calibration.view import CameraView
from envs.standin import write_standin
from policies.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from policies.perception import ModelSpec, PerceptionModel
from sim2real import finetune as command
from sim2real.adaptation.fine_tuning.strategies import FinetuneSettings
from sim2real.adaptation_configs import FinetuneConfig
from sim2real.cli import main
from sim2real.finetune import draw_replay, settings_of
from sim2real.stream import Batch

RIG = load_rig("cube_on_table")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("untuned")
    spec = ModelSpec("test_resnet", "keypoints", len(RIG.keypoints), RIG.input_size_px)
    card = ModelCard(spec, RIG, CameraView.of(RIG), "as in the rig file", "none", "nothing")
    save_checkpoint(folder / "model", PerceptionModel(spec), card, {})
    return folder


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs") / "data"
    write_standin(RIG, folder, 12, 3)
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "settings_of", lambda c: replace(settings_of(c), probe_steps=2, steps=3))


def test_without_flags_settings_are_the_default() -> None:
    assert settings_of(FinetuneConfig(Path("r"), 3, Path("o"), Path("m"))) == FinetuneSettings()


@pytest.mark.usefixtures("quick")
def test_flags_reach_the_training(model: Path, photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ["--model", model, "--real", photographs, "--frames", 5, "--out", out, "--threads", 1]
    flags = [
        "--strategy",
        "surgical",
        "--rate",
        1e-3,
        "--early-stopping",
        "leave-out",
        "--replay-share",
        0,
        "--no-never-worse",
    ]
    assert main(["finetune", *map(str, [*words, *flags])]) == 0
    card = load_checkpoint(out, torch.device("cpu"))[1]
    assert card.selection == "5 labelled frames"
    assert card.trained_on == "nothing; then 5 photographs of data, strategy surgical"
    done = json.loads((out / "tuning.json").read_text())
    assert done["strategy"]["name"] == "surgical"
    assert done["strategy"]["phases"][0]["rate"] == 1e-3
    assert len(done["held_out"]) == 1
    assert [step for step, _ in done["losses"]] == [0, 5]
    before, after = (load_checkpoint(f, torch.device("cpu"))[0].state_dict() for f in (model, out))
    changed = {n.split(".")[2] for n, value in after.items() if not torch.equal(value, before[n])}
    assert changed <= {"conv1", "bn1", "layer1"}
    finished = json.loads((out / "finished.json").read_text())
    assert finished["strategy"] == "surgical"
    assert finished["steps"] == done["steps"]


@pytest.mark.usefixtures("quick")
def test_frames_to_mix_in_are_drawn_as_those_of_pretraining_were(
    model: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, asked = tmp_path / "trained", []
    shutil.copytree(model, trained)
    write_json(trained / "config.json", {"randomization": "geometry"})

    def draw(*given: Any) -> Batch:
        asked.append(given[3])
        return draw_replay(*given)

    monkeypatch.setattr(command, "draw_replay", draw)
    words = ["--model", trained, "--real", photographs, "--frames", 3, "--threads", 1]
    for name, flags in (("own", []), ("other", ["--randomization", "wide"])):
        assert main(["finetune", *map(str, [*words, *flags, "--out", tmp_path / name])]) == 0
    assert asked == ["geometry", "wide"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--strategy", "magic"], "strategy must be one of head, lp-ft, full, gradual"),
        (["--wise", "2"], "wise must be from 0"),
        (["--replay-share", "1"], "replay_share must be 0 or more and less than 1"),
        (["--rate", "-1"], "rate must be more than 0"),
        (["--rate", "1", "--find-rate"], "find_rate has nothing to find"),
        (["--heads", "mask", "mask"], "heads must be named once and head_weight be above 0"),
        (["--heads", "depth", "--head-weight", "0"], "heads must be named once and head_weight be above 0"),
        (["--heads", "depth", "--strategy", "head"], "heads depth teach the backbone, which strategy head freezes"),
    ],
)
def test_bad_flags_are_one_line_and_write_nothing(
    flags: list[str],
    message: str,
    model: Path,
    photographs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    words = ["--model", str(model), "--real", str(photographs), "--frames", "3", "--out", str(out)]
    assert main(["finetune", *words, *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sim2real: ")
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_auxiliary_heads_are_taught_and_not_saved(
    model: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        command, "settings_of", lambda c: replace(settings_of(c), probe_steps=2, steps=3, replay_frames=10)
    )
    words = ["--model", model, "--real", photographs, "--frames", 4, "--threads", 1, "--no-never-worse"]
    for name, heads in (("plain", ()), ("heads", ("--heads", "mask", "depth", "pose"))):
        assert main(["finetune", *map(str, [*words, "--out", tmp_path / name, *heads])]) == 0
    plain, shared = (load_checkpoint(tmp_path / n, torch.device("cpu"))[0].state_dict() for n in ("plain", "heads"))
    assert list(plain) == list(shared)
    assert any(not torch.equal(plain[n], shared[n]) for n in plain if n.startswith("backbone"))
    losses = json.loads((tmp_path / "heads" / "tuning.json").read_text())["head_losses"]
    assert set(losses) == {"mask", "depth", "pose"}
    card = load_checkpoint(tmp_path / "heads", torch.device("cpu"))[1]
    assert card.trained_on == "nothing; then 4 photographs of data, strategy lp-ft, heads mask, depth, pose"


def test_one_frame_cannot_be_held_out(
    model: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", model, "--real", photographs, "--frames", 1, "--out", tmp_path / "run"]
    assert main(["finetune", *map(str, words), "--early-stopping", "k-fold"]) == 2
    assert "early stopping needs 2 or more labelled frames, got 1; turn it off" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("quick")
def test_a_config_file_may_name_the_strategy(model: Path, photographs: Path, tmp_path: Path) -> None:
    file = tmp_path / "finetune.toml"
    file.write_text('strategy = "head"\nwise = 0.5\nreplay-share = 0.0\nthreads = 1\n')
    out = tmp_path / "run"
    words = ["--model", model, "--real", photographs, "--frames", 3, "--out", out, "--config", file]
    assert main(["finetune", *map(str, words)]) == 0
    config = json.loads((out / "config.json").read_text())
    assert (config["strategy"], config["wise"]) == ("head", 0.5)
    card = load_checkpoint(out, torch.device("cpu"))[1]
    assert card.trained_on.endswith("strategy head, 0.5 of the way")
