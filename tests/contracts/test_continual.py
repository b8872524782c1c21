"""`sim2real continual` as a user runs it: the matrix, its models, resuming, and what it refuses."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.rig_file import load_rig
from envs.standin import write_standin
from sim2real import continual as module
from sim2real.cli import main


def command(*words: object) -> int:
    return main([str(w) for w in words])


def continual(model: Path, real: tuple[Path, ...], out: Path, *more: object) -> int:
    words = ("continual", "--model", model, "--real", *real, "--out", out, "--frames", 4, "--threads", 1)
    return command(*words, *more)


@pytest.fixture(scope="module")
def stations(frames_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two stations of one rig with cameras of their own, held-out simulation."""
    other = tmp_path_factory.mktemp("standin") / "other"
    write_standin(load_rig("cube_on_table"), other, 16, 5)
    return frames_folder, other


@pytest.fixture(scope="module")
def run(model: Path, stations: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("continual") / "run"
    with pytest.MonkeyPatch.context() as patch:
        quicken(patch)
        assert continual(model, stations, out, "--memory", 2) == 0
    return out


def quicken(patch: pytest.MonkeyPatch) -> None:
    settings = module.settings_of
    patch.setattr(module, "settings_of", lambda c: replace(settings(c), probe_steps=2, steps=3, replay_frames=8))


def test_every_stage_is_scored_on_frames_of_every_station_that_none_was_fitted_on(
    run: Path, stations: tuple[Path, Path]
) -> None:
    result = json.loads((run / "continual.json").read_text())
    assert [s["name"] for s in result["stations"]] == [p.name for p in stations]
    assert (len(result["matrix"]), len(result["matrix"][0])) == (3, 2)
    assert result["rows"] == ["nothing yet", *(p.name for p in stations)]
    for k, station in enumerate(result["stations"]):
        assert len(station["fitted"]) == 4
        assert not set(station["fitted"]) & set(station["held_out"])
        assert all(len(row[k]) == len(station["held_out"]) for row in result["errors"])
    means = [[np.mean(e) for e in row] for row in result["errors"]]
    assert result["matrix"] == [pytest.approx(row) for row in means]
    assert result["backward_transfer"]["value"] == pytest.approx(means[2][0] - means[1][0])
    assert result["forward_transfer"]["value"] == pytest.approx(means[1][1] - means[0][1])
    assert result["final_error"]["value"] == pytest.approx(np.mean(means[2]))
    table = (run / "table.md").read_text()
    assert f"| {stations[1].name} |" in table
    assert cv2.imread(str(run / "matrix.png")) is not None


def test_a_stations_camera_is_its_own_and_stays_after_its_stage(run: Path) -> None:
    cameras = [json.loads((run / "stages" / str(k) / "stage.json").read_text())["value"]["cameras"] for k in range(3)]
    assert cameras[0][0] != cameras[1][0]
    assert cameras[0][1] == cameras[1][1] != cameras[2][1]
    assert cameras[1][0] == cameras[2][0] != cameras[2][1]


def test_kept_frames_are_some_of_the_earlier_stations_fitted_ones(run: Path) -> None:
    fitted = json.loads((run / "continual.json").read_text())["stations"][0]["fitted"]
    kept = [json.loads((run / "stages" / k / "stage.json").read_text())["value"]["kept"] for k in ("1", "2")]
    assert kept[0] == []
    assert len(kept[1][0]) == 2
    assert set(kept[1][0]) <= set(fitted)


def test_the_model_of_each_station_gives_the_last_row_again(
    run: Path, stations: tuple[Path, Path], tmp_path: Path
) -> None:
    result = json.loads((run / "continual.json").read_text())
    for k, folder in enumerate(stations):
        place, file = run / "stations" / folder.name, tmp_path / f"{k}.json"
        assert command("evaluate", "--model", place, "--real", folder, "--json", file) == 0
        rows = list(csv.DictReader(file.with_suffix(".csv").read_text().splitlines()))
        assert [r["file"] for r in rows] == result["stations"][k]["held_out"]
        assert json.loads(file.read_text())["mean"] == pytest.approx(result["matrix"][2][k])
    last = (run / "stations" / stations[1].name / "model" / "model_card.json").read_text()
    assert json.loads((run / "model" / "model_card.json").read_text())["value"] == json.loads(last)["value"]


@pytest.mark.slow
def test_an_interrupted_run_goes_on_after_the_last_whole_stage(
    run: Path, model: Path, stations: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = Path(shutil.copytree(run, tmp_path / "cut"))
    for name in ("finished.json", "continual.json", "stages/2/stage.json"):
        (cut / name).unlink()
    shutil.rmtree(cut / "stages" / "2" / "model")
    done = (cut / "stages" / "1" / "stage.json").stat().st_mtime_ns
    quicken(monkeypatch)
    assert continual(model, stations, cut, "--memory", 2) == 2
    assert continual(model, stations, cut, "--memory", 1, "--resume") == 2
    assert continual(model, stations, cut, "--memory", 2, "--resume") == 0
    assert (cut / "stages" / "1" / "stage.json").stat().st_mtime_ns == done
    first, again = (json.loads((p / "continual.json").read_text()) for p in (run, cut))
    assert again["errors"] == first["errors"]
    weights = [(p / "model" / "weights.safetensors").read_bytes() for p in (run, cut)]
    assert weights[0] == weights[1]
    # A finished run is read, not repeated.
    assert continual(model, stations, cut, "--memory", 2, "--resume") == 0


@pytest.fixture
def copy(stations: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(stations[0], tmp_path / "copy"))


@pytest.mark.parametrize(
    ("folders", "more", "message"),
    [
        ("a", (), "continual needs two or more folders of photographs, got 1"),
        ("aba", (), "each folder of photographs must be named once"),
        ("ac", (), "stations must have photographs of their own"),
        ("ab", ("--frames", "99"), "needs 99 usable labelled frames, found"),
        ("ab", ("--memory", "5"), "memory 0 to frames"),
        ("ab", ("--strategy", "magic"), "strategy must be one of"),
        ("ax", (), "must be a folder"),
    ],
)
def test_bad_words_are_one_line_and_write_nothing(
    folders: str,
    more: tuple[str, ...],
    message: str,
    model: Path,
    stations: tuple[Path, Path],
    copy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"a": stations[0], "b": stations[1], "c": copy, "x": tmp_path / "nothing"}
    assert continual(model, tuple(places[f] for f in folders), tmp_path / "out", *more) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sim2real: ")]
    assert message in line
    assert not (tmp_path / "out").exists()


def spoil_columns(folder: Path) -> None:
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace("x_m", "px_m", 1))


def spoil_rig(folder: Path) -> None:
    (folder / "source.json").write_text(json.dumps({"rig": "psm_tool"}))


def spoil_count(folder: Path) -> None:
    lines = (folder / "labels.csv").read_text().splitlines()
    (folder / "labels.csv").write_text("\n".join(lines[:2]) + "\n")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_columns, "needs column 'x_m' for rig cube_on_table"),
        (spoil_rig, "must hold photographs for rig cube_on_table of the model, got a pack of psm_tool"),
        (spoil_count, "a split needs frames on both sides"),
    ],
)
def test_a_folder_of_another_rig_or_with_too_few_frames_is_named(
    spoil: object,
    message: str,
    model: Path,
    stations: tuple[Path, Path],
    copy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(copy)  # type: ignore[operator]
    assert continual(model, (stations[1], copy), tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error
    assert str(copy) in error
    assert not (tmp_path / "out").exists()
