"""`sim2real gap`, `compare` and `gate` as a user runs them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from sim2real.cli import main


def run(*words: object) -> int:
    return main([str(w) for w in words])


@pytest.fixture(scope="module")
def scored(model: Path, frames_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scored")
    assert run("evaluate", "--model", model, "--real", frames_folder, "--json", out / "one.json") == 0
    assert run("evaluate", "--model", model, "--real", frames_folder, "--json", out / "two.json", "--views", 2) == 0
    return out


def test_two_evaluations_are_compared(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "comparison.json"
    assert run("compare", scored / "one.json", scored / "two.json", "--json", out) == 0
    said = capsys.readouterr().out
    assert "| model |" in said
    assert json.loads(out.read_text())["rows"][0]["verdict"] in said
    assert run("compare", "--first", scored / "one.json", "--second", scored / "two.json", "--json", out) == 2
    assert "--json must be a new file" in capsys.readouterr().err


def test_a_gate_opens_or_stays_shut(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = tmp_path / "limits.toml"
    for most, status in ((1000.0, 0), (1e-9, 3)):
        limits.write_text(f'[[limit]]\nrow = "model"\nat_most_m = {most}\n')
        assert run("gate", scored / "one.json", "--limits", limits) == status
        assert ("all limits kept" if status == 0 else "1 of 1 limits broken") in capsys.readouterr().out
    limits.write_text('[[limit]]\nrow = "no"\nat_most_m = 1.0\n')
    assert run("gate", "--result", scored / "one.json", "--limits", limits) == 2
    assert "row must be one of model, got 'no'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def page(model: Path, frames_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gap") / "first"
    words = ("--model", model, "--real", frames_folder, "--held-out", "--simulated", 8)
    assert run("gap", *words, "--out", out) == 0
    return out


def test_a_gap_is_one_page_and_the_same_numbers_again(
    page: Path, model: Path, frames_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = json.loads((page / "gap.json").read_text())
    text = (page / "gap.html").read_text()
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "<script" not in text
    assert len(text) < 10_000_000
    assert "held-out simulation" in text
    assert "real photographs" not in text
    assert text.count('class="twin"') == min(12, len(result["twins"])) > 0
    scored = result["protocol"]["scored"]
    assert [p["file"] for p in result["predictions"]["run"]] == scored
    mean = sum(p["error"] for p in result["predictions"]["run"]) / len(scored)
    assert result["rows"][0]["mean"] == pytest.approx(mean)
    assert {s["group"] for s in result["attribution"]["shares"]} >= {"camera direction", "camera position"}
    gains = [s["gain_m"] for s in result["next"] if s["gain_m"] is not None]
    assert gains == sorted(gains, reverse=True)
    assert all(g > 0 for g in gains)
    for row in result["pictures"]:
        assert row["fid"]["value"] > 0
        assert row["kid"]["null"]["low"] <= row["kid"]["null"]["high"]

    limits = tmp_path / "limits.toml"
    limits.write_text('[[limit]]\nrow = "run"\nat_most_m = 1e-9\n')
    words = ("--model", model, "--real", frames_folder, "--held-out", "--simulated", 8)
    assert run("gap", *words, "--out", tmp_path / "again", "--limits", limits) == 3
    assert "1 of 1 limits broken" in capsys.readouterr().out
    assert (tmp_path / "again" / "gap.json").read_bytes() == (page / "gap.json").read_bytes()
    assert run("compare", page, tmp_path / "again") == 0
    assert "| run |" in capsys.readouterr().out


def test_a_model_that_was_fitted_on_what_is_scored_is_refused(
    page: Path, model: Path, frames_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cheat = tmp_path / "cheat"
    shutil.copytree(model, cheat)
    result = json.loads((page / "gap.json").read_text())
    scored = result["protocol"]["scored"][0]
    digest = hashlib.sha256((frames_folder / scored).read_bytes()).hexdigest()
    (cheat / "split.json").write_text(json.dumps({"train_sha256": [digest]}))
    assert run("gap", "--model", cheat, "--real", frames_folder, "--out", tmp_path / "no") == 2
    assert f"was fitted on {scored}, which is to be scored" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
    assert run("gap", "--model", model, "--real", frames_folder, "--out", tmp_path / "no", "--simulated", 2) == 2
    assert "simulated must be 8 or more frames" in capsys.readouterr().err
