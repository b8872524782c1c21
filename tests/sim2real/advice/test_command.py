"""`sim2real advise` as a user runs it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.records import read_record
from calibration.rig_file import load_rig
from sim2real.advice.command import RECORD, SHEET
from sim2real.advice.record import Advice
from sim2real.cli import main
from sim2real.labelled_photographs import training_pool
from sim2real.realdata import load_real

SMALL = ["--simulated", "8", "--threads", "1", "--renderer", "cpu"]


def advise(*words: object) -> int:
    return main(["advise", *SMALL, *(str(w) for w in words)])


def assert_one_line(captured: pytest.CaptureFixture[str], parts: list[str]) -> None:
    lines = [line for line in captured.readouterr().err.splitlines() if line.startswith("sim2real: ")]
    assert len(lines) == 1
    for part in parts:
        assert part in lines[0]


def test_two_models_with_labels(
    models: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "advice"
    words = ["--model", models / "first", models / "second", "--real", photographs, "--frames", 6, "--pick", 3]
    assert advise(*words, "--out", out) == 0
    printed = capsys.readouterr().out.splitlines()
    found = read_record(out / RECORD, Advice)
    assert found.selection == "6 labelled frames"
    assert len(found.frames) == 6
    assert [Path(m.model).name for m in found.models] == ["first", "second"]
    for model in found.models:
        assert [s.stage for s in model.stages] == ["layer1", "layer2", "layer3", "layer4"]
        assert len(model.own_errors_m) == 6
        for stage in model.stages:
            assert stage.log_me is not None
            assert stage.h_score is not None
            assert stage.probe_error_m is not None
            assert stage.probe_error_m.value == pytest.approx(np.mean(stage.probe_errors_m))
            assert stage.probe_error_m.unit == "m"
    assert found.not_computed == ()
    assert f"suggestion: {found.suggestion}" in printed
    assert printed[-1] == f"advice: {out / RECORD}"
    assert (out / "finished.json").is_file()
    # The frames to label are neither labelled nor held out.
    rig = load_rig("cube_on_table")
    split = training_pool(rig, load_real(photographs, rig), 6)[1]
    files = [p.file for p in found.picks]
    assert len(set(files)) == 3
    assert set(files) <= set(split.train) - set(found.frames)
    assert split.test
    assert [p.rank for p in found.picks] == [1, 2, 3]
    picture = cv2.imread(str(out / SHEET))
    assert picture is not None
    assert picture.shape[1] > 900


def test_without_labels_no_label_is_read_and_it_says_so(
    models: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    poisoned = Path(shutil.copytree(photographs, tmp_path / "poisoned"))
    rows = list(csv.DictReader((poisoned / "labels.csv").read_text().splitlines()))
    with (poisoned / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "x_m": "1e3", "y_m": "-77"} for row in rows)
    found = []
    for name, folder in (("a", photographs), ("b", poisoned)):
        assert advise("--model", models / "first", "--real", folder, "--out", tmp_path / name) == 0
        found.append(json.loads((tmp_path / name / RECORD).read_text())["value"])
    assert "not computed: LogME" in capsys.readouterr().out
    assert found[0]["selection"] == "none"
    assert found[0]["frames"] == []
    assert found[0]["models"][0]["own_error_m"] is None
    assert found[0]["models"][0]["stages"][0]["probe_error_m"] is None
    assert {**found[0], "real": ""} == {**found[1], "real": ""}


def test_a_folder_without_labels_csv(models: Path, unlabelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "advice"
    assert advise("--model", models / "first", "--real", unlabelled, "--out", out, "--pick", 99) == 0
    found = read_record(out / RECORD, Advice)
    # One picture is there twice.
    assert found.photographs == 17
    assert 1 <= len(found.picks) <= 16
    assert not {"00.png", "01.png", "00.jpg", "01.jpg"} <= {p.file for p in found.picks}
    assert any("photographs to label" in reason for reason in found.not_computed)


def test_more_photographs_may_come_from_another_folder(
    models: Path, photographs: Path, unlabelled: Path, tmp_path: Path
) -> None:
    words = ["--model", models / "first", "--real", photographs, "--unlabelled", unlabelled, "--pick", 0]
    assert advise(*words, "--out", tmp_path / "a") == 0
    found = read_record(tmp_path / "a" / RECORD, Advice)
    assert found.photographs == 16 + 17
    assert (found.picks, found.picked_by) == ((), None)
    assert not (tmp_path / "a" / SHEET).exists()


def test_a_model_that_was_fitted_on_this_side_is_not_scored_on_it(
    models: Path, photographs: Path, tmp_path: Path
) -> None:
    fitted = tmp_path / "fitted"
    shutil.copytree(models / "first", fitted)
    frames = load_real(photographs, load_rig("cube_on_table")).frames
    (fitted / "split.json").write_text(json.dumps({"train_sha256": [f.sha256 for f in frames]}))
    words = ["--real", photographs, "--frames", 5, "--pick", 0, "--out", tmp_path / "a"]
    assert advise("--model", fitted, models / "second", *words) == 0
    found = read_record(tmp_path / "a" / RECORD, Advice)
    assert found.models[0].own_error_m is None
    assert found.models[1].own_error_m is not None
    assert found.not_computed == ("LogME, H-score and errors of fitted: it was fitted on this side of the split",)


def test_settings_from_a_file(models: Path, photographs: Path, tmp_path: Path) -> None:
    config = tmp_path / "advise.toml"
    config.write_text(f'model = ["{models / "first"}"]\nreal = "{photographs}"\npick = 2\n')
    assert advise("--config", config, "--out", tmp_path / "a") == 0
    assert len(read_record(tmp_path / "a" / RECORD, Advice).picks) == 2


@pytest.mark.parametrize(
    ("model", "more", "parts"),
    [
        (["nothing"], [], ["model must be a folder made by pretrain or finetune", "nothing"]),
        (["first", "first"], [], ["--model must name different runs"]),
        (["first", "tool"], [], ["models must be of one rig", "cube_on_table", "psm_tool"]),
        (["tool"], ["--frames", 5], ["labels.csv", "needs column 'rgb'", "psm_tool"]),
        (["regression"], [], ["keypoints head, got regression", "pretrain with --head keypoints"]),
        (["first"], ["--frames", 99], ["needs 99 usable labelled frames, found 15"]),
        (["first"], ["--frames", -1], ["frames, pick and seed must be 0 or more, got -1"]),
        (["first"], ["--simulated", 2], ["simulated must be 4 or more frames, got 2"]),
        (["first"], ["--real", "/nowhere"], ["found nothing at /nowhere"]),
        (["first"], ["--unlabelled", "/nowhere"], ["found nothing at /nowhere"]),
    ],
)
def test_bad_input_is_one_line(
    model: list[str],
    more: list[object],
    parts: list[str],
    models: Path,
    photographs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--model", *(models / m for m in model), "--real", photographs, "--out", tmp_path / "out", *more]
    assert advise(*words) == 2
    assert_one_line(capsys, parts)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_refused(
    models: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("x")
    assert advise("--model", models / "first", "--real", photographs, "--out", tmp_path) == 2
    assert_one_line(capsys, ["output folder must be new"])


@pytest.mark.real
def test_photographs_differ_from_simulated_frames_at_every_stage(models: Path, real_data: Path, tmp_path: Path) -> None:
    words = ["--model", models / "first", "--real", real_data / "cube_on_table", "--frames", 10]
    assert advise(*words, "--simulated", 32, "--out", tmp_path / "a") == 0
    found = read_record(tmp_path / "a" / RECORD, Advice)
    assert found.pictures.beyond_chance
    assert all(s.gap.a_distance.value > 1.0 for s in found.models[0].stages)
    assert "images/4-0.jpg" not in {p.file for p in found.picks}
