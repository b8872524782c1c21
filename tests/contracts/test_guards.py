"""`sim2real finetune` refuses labelled frames that cannot be right, and does not come out worse."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sim2real import finetune as module
from sim2real.cli import main

FRAMES = 5


def command(*words: object) -> int:
    return main([str(w) for w in words])


def finetune(model: Path, real: Path, out: Path, *more: object) -> int:
    words = ("finetune", "--model", model, "--real", real, "--frames", FRAMES, "--out", out, "--threads", 1)
    return command(*words, *more)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = module.settings_of
    monkeypatch.setattr(module, "settings_of", lambda c: replace(settings(c), probe_steps=2, steps=3, replay_frames=16))


@pytest.fixture
def data(frames_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(frames_folder, tmp_path / "data"))


def rows_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "labels.csv").read_text().splitlines()))


def write_rows(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def off_by_1000(folder: Path) -> None:
    rows = rows_of(folder)
    write_rows(folder, [{**r, **{c: str(float(r[c]) + 1000) for c in ("x_m", "y_m")}} for r in rows])


def millimetres(folder: Path) -> None:
    rows = rows_of(folder)
    write_rows(folder, [{**r, **{c: str(float(r[c]) * 1000) for c in ("x_m", "y_m", "z_m")}} for r in rows])


def constant(folder: Path) -> None:
    for row in rows_of(folder):
        picture = cv2.imread(str(folder / row["file"]))
        cv2.imwrite(str(folder / row["file"]), np.full_like(picture, 128))


def repeated(folder: Path) -> None:
    rows = rows_of(folder)
    first = folder / rows[0]["file"]
    for row in rows[1:]:
        shutil.copy(first, folder / row["file"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (off_by_1000, "label"),
        (millimetres, "1000 times too large"),
        (constant, "constant picture"),
        (repeated, "contradicting labels"),
    ],
)
def test_frames_that_cannot_be_right_are_refused_and_nothing_is_written(
    spoil: Callable[[Path], None],
    message: str,
    model: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(data)
    assert finetune(model, data, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.strip().splitlines()[-1].endswith("--accept-doubts goes on all the same")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("quick")
def test_the_decision_is_recorded_with_its_numbers(model: Path, frames_folder: Path, tmp_path: Path) -> None:
    assert finetune(model, frames_folder, tmp_path / "out") == 0
    said = json.loads((tmp_path / "out" / "finished.json").read_text())
    assert said["decision"]["use"] in ("adapted", "simulation only")
    assert f"cross-fitted on {FRAMES} labelled frames" in said["decision"]["reason"]
    assert said["decision"]["numbers"]["frames"] == FRAMES


@pytest.mark.usefixtures("quick")
def test_a_fine_tuning_that_harms_is_not_used(
    model: Path, frames_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = module.tune_on_frames

    def harmful(model_: object, *more: object) -> object:
        done = tuned(model_, *more)  # type: ignore[arg-type]
        for parameter in model_.head.parameters():  # type: ignore[attr-defined]
            parameter.data.normal_()
        return done

    monkeypatch.setattr(module, "tune_on_frames", harmful)
    spoilt = tmp_path / "spoilt"
    assert finetune(model, frames_folder, spoilt, "--never-worse") == 0
    decision = json.loads((spoilt / "finished.json").read_text())["decision"]
    before, after = ((run / "model" / "weights.safetensors").read_bytes() for run in (model, spoilt))
    # The small model has hardly learned anything, so random heads may do no worse than it: both must agree.
    assert (before == after) == (decision["use"] == "simulation only")
