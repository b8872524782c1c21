"""A fine-tuned model says how far to trust it: `sim2real finetune` keeps what is needed, `evaluate` reports it."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sim2real import finetune as module
from sim2real.cli import main

FRAMES = 5


def command(*words: object) -> int:
    return main([str(w) for w in words])


@pytest.fixture(scope="module")
def tuned(model: Path, frames_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tuned") / "run"
    with pytest.MonkeyPatch.context() as patch:
        settings = module.settings_of
        patch.setattr(module, "_USUAL", 24)
        patch.setattr(module, "settings_of", lambda c: replace(settings(c), probe_steps=2, steps=2, replay_frames=24))
        words = ("--model", model, "--real", frames_folder, "--frames", FRAMES, "--out", out, "--threads", 1)
        assert command("finetune", *words) == 0
    return out


def evaluate(model: Path, real: Path, out: Path, *more: object) -> tuple[dict[str, Any], list[dict[str, str]]]:
    assert command("evaluate", "--model", model, "--real", real, "--json", out, "--views", 8, *more) == 0
    rows = list(csv.DictReader(out.with_suffix(".csv").read_text().splitlines()))
    return json.loads(out.read_text())["reliability"], rows


def painted(like: NDArray[np.uint8], lightness: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A picture with the mean hue of another, which would be left out for its colour otherwise."""
    lab = cv2.cvtColor(like.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    lab[..., 1:] = lab[..., 1:].mean(axis=(0, 1))
    lab[..., 0] = lightness
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR) * 255, 0, 255).astype(np.uint8)


def constant(like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return painted(like, np.full(like.shape[:2], 60.0))


def another_scene(like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = np.indices(like.shape[:2]) // 40
    return painted(like, np.where((rows + columns) % 2, 35.0, 75.0))


def test_strange_pictures_are_abstained_on_and_ordinary_ones_are_not(
    tuned: Path, frames_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, rows = evaluate(tuned, frames_folder, tmp_path / "plain.json", "--level", 0.8)
    assert told["abstained"] == []
    assert {r["abstained"] for r in rows} == {"no"}

    spoilt = Path(shutil.copytree(frames_folder, tmp_path / "spoilt"))
    strange = {rows[0]["file"]: constant, rows[1]["file"]: another_scene}
    for name, change in strange.items():
        picture = cv2.imread(str(spoilt / name))
        assert picture is not None
        cv2.imwrite(str(spoilt / name), change(np.asarray(picture, np.uint8)))
    told, rows = evaluate(tuned, spoilt, tmp_path / "spoilt.json", "--level", 0.8)
    assert sorted(told["abstained"]) == sorted(strange)
    assert {r["file"] for r in rows if r["abstained"] == "yes"} == set(strange)
    errors = {r["file"]: float(r["error_m"]) for r in rows}
    assert told["mean_abstained"] == pytest.approx(np.mean([errors[f] for f in strange]))
    assert told["mean_answered"] == pytest.approx(np.mean([e for f, e in errors.items() if f not in strange]))
    assert "abstains on 2" in capsys.readouterr().out


def test_the_radius_is_the_largest_error_that_cross_fitting_made(
    tuned: Path, frames_folder: Path, tmp_path: Path
) -> None:
    kept = json.loads((tuned / "model" / "reliability.json").read_text())["value"]
    told, rows = evaluate(tuned, frames_folder, tmp_path / "e.json", "--level", 0.8)
    assert len(kept["radius"]["errors"]) == FRAMES
    # ceil(6 * 0.8) = 5 of 5.
    assert told["radius_m"] == pytest.approx(kept["radius"]["errors"][-1])
    assert {float(r["radius_m"]) for r in rows} == {told["radius_m"]}
    within = [float(r["error_m"]) <= told["radius_m"] for r in rows if r["abstained"] == "no"]
    assert told["coverage"] == pytest.approx(np.mean(within))
    said = json.loads((tuned / "finished.json").read_text())["decision"]
    mean = said["numbers"]["adapted_mean" if said["use"] == "adapted" else "simulation_mean"]
    assert np.mean(kept["radius"]["errors"]) == pytest.approx(mean)


def test_a_level_that_the_frames_do_not_allow_gives_no_radius(
    tuned: Path, frames_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING"):
        told, rows = evaluate(tuned, frames_folder, tmp_path / "e.json")
    assert "no radius at level 0.9: it needs 9 calibration frames, the model has 5, which allow 0.833" in caplog.text
    assert told["radius_m"] is None
    assert told["coverage"] is None
    assert {r["radius_m"] for r in rows} == {""}
    assert {r["abstained"] for r in rows} == {"no"}


def test_another_camera_or_other_views_have_no_radius(tuned: Path, frames_folder: Path, tmp_path: Path) -> None:
    words = ("--level", 0.8, "--overwrite", "--views", 1)
    told, _ = evaluate(tuned, frames_folder, tmp_path / "e.json", *words)
    assert told["radius_m"] is None
    assert told["note"] == "no radius: it was calibrated with the model's own camera and 8 views"


def test_a_model_that_was_not_fine_tuned_says_nothing(model: Path, frames_folder: Path, tmp_path: Path) -> None:
    told, rows = evaluate(model, frames_folder, tmp_path / "e.json")
    assert told is None
    assert {(r["radius_m"], r["novelty"], r["abstained"]) for r in rows} == {("", "", "")}


@pytest.mark.parametrize("level", ["0", "1", "90"])
def test_a_level_is_a_probability(
    level: str, tuned: Path, frames_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("evaluate", "--model", tuned, "--real", frames_folder, "--json", tmp_path / "e.json", "--level", level)
    assert command(*words) == 2
    assert f"level must lie between 0 and 1, such as 0.9, got {level}" in capsys.readouterr().err
    assert not (tmp_path / "e.json").exists()
