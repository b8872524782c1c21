"""`sim2real compare` and `sim2real gate` as a user runs them, on what `sim2real evaluate` wrote."""

from __future__ import annotations

import json
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
