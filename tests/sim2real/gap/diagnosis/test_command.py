"""`sim2real diagnose` as a stranger would run it, on pictures of the held-out simulation."""

import json
from pathlib import Path
from typing import Any

import pytest

from calibration.rig_file import load_rig
from envs.standin import Station
from envs.standin.pictures import write_standin
from sim2real.cli import main
from sim2real.gap.diagnosis import command


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("station") / "pictures"
    write_standin(load_rig("cube_on_table"), folder, 4, 5, Station.planted(["noise"], 1.0, 5))
    return folder


def test_planted_noise_is_found_and_written(
    noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    every = command.seeing_groups

    def few(*args: Any) -> Any:
        return tuple(g for g in every(*args) if g.name in ("noise", "blur", "focal length"))

    monkeypatch.setattr(command, "seeing_groups", few)
    out = tmp_path / "diagnosis.json"
    words = ["diagnose", "--rig", "cube_on_table", "--real", str(noisy), "--out", str(out), "--held-out", "--most", "1"]
    assert main([*words, "--frames", "4", "--threads", "1"]) == 0
    text = capsys.readouterr().out
    assert "4 held-out simulation" in text
    assert "1. noise: " in text
    assert "sensor.noise = " in text
    kept = json.loads(out.read_text())
    assert kept["format"] == "sim2real.diagnosis"
    assert [f["group"] for f in kept["found"]] == ["noise"]
    assert {f["group"] for f in kept["alone"]} == {"noise", "blur", "focal length"}
    assert kept["found"][0]["explained"]["low"] > 0
    # It is never written over.
    assert main([*words, "--frames", "4"]) == 2
    assert "--out must be a new file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--frames", "3"], "frames must be 4 or more"),
        (["--most", "0"], "most 1 or more"),
    ],
)
def test_bad_settings_are_one_line(
    words: list[str], line: str, noisy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", "--rig", "cube_on_table", "--real", str(noisy), *words]) == 2
    assert line in capsys.readouterr().err


def test_too_few_photographs_say_how_many_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "few"
    write_standin(load_rig("cube_on_table"), folder, 2, 0, Station(0))
    assert main(["diagnose", "--rig", "cube_on_table", "--real", str(folder)]) == 2
    assert "needs 4 usable labelled photographs or more" in capsys.readouterr().err
