"""`sim2real benchmark --what pretraining` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim2real.cli import main


def test_speeds_are_of_one_network_and_the_ratio_is_theirs(
    small_rig: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig, out = tmp_path / "small.toml", tmp_path / "figures.json"
    rig.write_text(small_rig)
    words = ("benchmark", "--what", "pretraining", "--rig", rig, "--rounds", 1, "--seconds", 0.2)
    assert main([str(w) for w in (*words, "--device", "cpu", "--out", out)]) == 0
    said = capsys.readouterr().out
    found = json.loads(out.read_text())
    (one,) = found["rounds"]
    assert one["ratio"] == pytest.approx(one["pipeline"] / one["in_memory"])
    assert f"{one['ratio']:9.2f}" in said
    assert min(one["drawn"], one["in_memory"], one["pipeline"]) > 0
    assert main([str(w) for w in (*words, "--out", out)]) == 2
    assert "--out must be a new file" in capsys.readouterr().err
