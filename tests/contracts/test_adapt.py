"""`sim2real adapt` as a user runs it: what it writes, that it reads no label, and what it refuses."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from calibration.rig_file import load_rig
from calibration.view import CameraView
from envs.standin import write_standin
from policies.checkpoint import ModelCard, save_checkpoint
from policies.perception import ModelSpec, PerceptionModel
from sim2real.cli import main


def command(*words: object) -> int:
    return main([str(w) for w in words])


def adapt(model: Path, real: Path, out: Path, *more: object) -> int:
    return command("adapt", "--model", model, "--real", real, "--out", out, "--steps", 3, "--threads", 1, *more)


def weights(run: Path) -> bytes:
    return (run / "model" / "weights.safetensors").read_bytes()


def edit_rows(folder: Path, change: Callable[[dict[str, str]], None]) -> None:
    path = folder / "labels.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    for row in rows:
        change(row)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def data(frames_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(frames_folder, tmp_path / "data"))


@pytest.fixture(scope="module")
def adapted(model: Path, frames_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("adapted") / "run"
    assert adapt(model, frames_folder, out, "--methods", "background", "colour") == 0
    return out


def test_a_run_says_what_it_did_and_saw(adapted: Path, model: Path) -> None:
    record = json.loads((adapted / "adaptation.json").read_text())
    assert record["methods"] == ["background", "colour"]
    assert record["selection"] == "none"
    assert 0 < record["label_shift"]["p_value"] <= 1
    assert record["label_shift"]["where"] in ("'cube centre' across", "'cube centre' down")
    (step,) = record["steps"]
    assert step["steps"] == 3
    assert step["image"] == ["background", "colour"]
    card = json.loads((adapted / "model" / "model_card.json").read_text())["value"]
    assert card["selection"] == "none"
    assert "then adapted by background, colour on" in card["trained_on"]
    assert cv2.imread(str(adapted / "frames.png")).shape[1] > 8 * 160
    assert weights(adapted) != weights(model)


def test_the_scored_frames_were_not_seen(adapted: Path, frames_folder: Path, tmp_path: Path) -> None:
    seen = {p["file"] for p in json.loads((adapted / "adaptation.json").read_text())["photographs"]}
    assert command("evaluate", "--model", adapted, "--real", frames_folder, "--json", tmp_path / "e.json") == 0
    scored = {row["file"] for row in csv.DictReader((tmp_path / "e.csv").read_text().splitlines())}
    everything = {row["file"] for row in csv.DictReader((frames_folder / "labels.csv").read_text().splitlines())}
    assert seen
    assert scored
    assert not seen & scored
    assert seen | scored <= everything


def test_poisoned_labels_change_nothing(adapted: Path, model: Path, data: Path, tmp_path: Path) -> None:
    def poison(row: dict[str, str]) -> None:
        for column in ("x_m", "y_m", "z_m"):
            row[column] = "nan"

    edit_rows(data, poison)
    assert adapt(model, data, tmp_path / "poisoned", "--methods", "background", "colour") == 0
    assert weights(tmp_path / "poisoned") == weights(adapted)
    read, poisoned = (json.loads((f / "adaptation.json").read_text()) for f in (adapted, tmp_path / "poisoned"))
    assert poisoned["label_shift"] == read["label_shift"]


def test_masked_patches_go_through_the_command_and_see_no_label(
    model: Path, frames_folder: Path, data: Path, tmp_path: Path
) -> None:
    words = ("--methods", "histogram", "masked-patches", "--pretext-weight", 3)
    assert adapt(model, frames_folder, tmp_path / "run", *words) == 0
    edit_rows(data, lambda row: row.update(dict.fromkeys(("x_m", "y_m", "z_m"), "nan")))
    assert adapt(model, data, tmp_path / "poisoned", *words) == 0
    assert weights(tmp_path / "poisoned") == weights(tmp_path / "run")
    record = json.loads((tmp_path / "run" / "adaptation.json").read_text())
    assert record["joints"] == "not read"
    (step,) = record["steps"]
    assert step["image"] == ["histogram"]
    assert step["pretext"]["method"] == "masked-patches"
    assert step["pretext"]["weight"] == 3.0
    # The decoder is thrown away.
    names = [set(load_file(f / "model" / "weights.safetensors")) for f in (model, tmp_path / "run")]
    assert names[0] == names[1]


def test_inverse_dynamics_needs_joints(
    model: Path, frames_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt(model, frames_folder, tmp_path / "out", "--methods", "inverse-dynamics") == 2
    assert "rig cube_on_table names no column for a placed joint" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_inverse_dynamics_reads_joints_and_no_label(tmp_path: Path) -> None:
    rig = load_rig("psm_tool")
    torch.manual_seed(0)
    spec = ModelSpec("test_resnet", "keypoints", len(rig.keypoints), rig.input_size_px)
    card = ModelCard(spec, rig, CameraView.of(rig), "as in the rig file", "none", "nothing")
    save_checkpoint(tmp_path / "tool" / "model", PerceptionModel(spec), card, {})
    write_standin(rig, tmp_path / "data", 6, 3)
    runs = []

    def poison(column: str, value: str) -> Callable[[dict[str, str]], None]:
        return lambda row: row.update({column: value})

    for name, change in (
        ("plain", None),
        ("labels", poison("base_x_m", "nan")),
        ("offset", lambda row: row.update(q3_m=str(float(row["q3_m"]) + 0.5))),
        ("joints", lambda row: row.update(q3_m=str(2 * float(row["q3_m"])))),
    ):
        data = Path(shutil.copytree(tmp_path / "data", tmp_path / name / "data"))
        if change:
            edit_rows(data, change)
        out = tmp_path / name / "run"
        words = ("--methods", "inverse-dynamics", "--photographs", "all", "--steps", 2)
        assert adapt(tmp_path / "tool", data, out, *words) == 0
        runs.append(load_file(out / "model" / "weights.safetensors"))
    record = json.loads((tmp_path / "plain" / "run" / "adaptation.json").read_text())
    assert record["joints"] == "displacements between photographs"
    said = json.loads((tmp_path / "plain" / "run" / "model" / "model_card.json").read_text())["value"]["trained_on"]
    assert said.endswith("unlabelled photographs of data, and what their joints measured")
    plain, labels, offset, joints = runs
    assert all(torch.equal(plain[k], labels[k]) for k in plain)
    # An encoder's offset changes rounding alone.
    assert all(torch.allclose(plain[k].float(), offset[k].float(), atol=1e-5) for k in plain)
    assert any(not torch.equal(plain[k], joints[k]) for k in plain)


def test_another_seed_gives_other_weights(adapted: Path, model: Path, frames_folder: Path, tmp_path: Path) -> None:
    assert adapt(model, frames_folder, tmp_path / "s1", "--methods", "background", "colour", "--seed", 1) == 0
    assert weights(tmp_path / "s1") != weights(adapted)


def test_an_interrupted_run_is_repeated(adapted: Path, model: Path, frames_folder: Path, tmp_path: Path) -> None:
    cut = Path(shutil.copytree(adapted, tmp_path / "cut"))
    (cut / "finished.json").unlink()
    shutil.rmtree(cut / "model")
    words = ("--methods", "background", "colour")
    assert adapt(model, frames_folder, cut, *words) == 2
    assert adapt(model, frames_folder, cut, *words, "--resume") == 0
    assert weights(cut) == weights(adapted)


def test_a_photograph_with_a_colour_fault_is_not_used(
    model: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = list(csv.DictReader((data / "labels.csv").read_text().splitlines()))
    name = rows[2]["file"]
    picture = cv2.imread(str(data / name)).astype(np.float32)
    cv2.imwrite(str(data / name), np.clip(picture * [0.4, 1.0, 1.0] + [0, 30, 30], 0, 255).astype(np.uint8))
    with caplog.at_level("WARNING"):
        assert adapt(model, data, tmp_path / "out", "--methods", "colour", "--photographs", "all") == 0
    assert f"faulty, not used: {name}" in caplog.text
    record = json.loads((tmp_path / "out" / "adaptation.json").read_text())
    assert name not in [p["file"] for p in record["photographs"]]
    assert "none is held out" in record["split"]


def test_a_folder_without_labels_will_do(model: Path, data: Path, tmp_path: Path) -> None:
    (data / "labels.csv").unlink()
    assert adapt(model, data, tmp_path / "out", "--methods", "white-balance") == 0
    record = json.loads((tmp_path / "out" / "adaptation.json").read_text())
    assert len(record["photographs"]) > 5


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--methods", "magic"), "method must be one of simulation, background, photometric"),
        (("--methods", "colour", "colour"), "method colour is named twice"),
        (("--methods", "colour", "--steps", "0"), "steps must be 1 or more"),
        (("--methods", "colour", "--seed", "-1"), "seed 0 or more"),
    ],
)
def test_bad_words_write_nothing(
    more: tuple[str, ...],
    message: str,
    model: Path,
    frames_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert adapt(model, frames_folder, tmp_path / "out", *more) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_too_few_photographs_for_a_background(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (data / "labels.csv").read_text().splitlines()
    (data / "labels.csv").write_text("\n".join(lines[:4]) + "\n")
    assert adapt(model, data, tmp_path / "out", "--photographs", "all", "--methods", "background") == 2
    assert "background needs at least 5 unlabelled photographs, got 3" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_model_that_saw_labels_is_refused(
    model: Path, frames_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = Path(shutil.copytree(model, tmp_path / "tuned"))
    card = json.loads((tuned / "model" / "model_card.json").read_text())
    card["value"]["selection"] = "5 labelled frames"
    (tuned / "model" / "model_card.json").write_text(json.dumps(card))
    assert adapt(tuned, frames_folder, tmp_path / "out") == 2
    assert "adapt needs a model that has seen no label, got one made with 5 labelled frames" in capsys.readouterr().err
