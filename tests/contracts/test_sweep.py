"""`sim2real sweep` as a user runs it: rows, rows added later, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sim2real.cli import main
from sim2real.sweep import jobs


def sweep(model: Path, real: Path, out: Path, *more: object) -> int:
    words = ("sweep", "--models", model, "--real", real, "--out", out, "--workers", 1, "--steps", 2)
    return main([str(w) for w in (*words, *more)])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = jobs.FinetuneSettings
    monkeypatch.setattr(
        jobs, "FinetuneSettings", lambda strategy: replace(settings(strategy=strategy), steps=2, probe_steps=1)
    )


@pytest.mark.usefixtures("quick")
def test_rows_are_scored_on_frames_that_no_method_saw_and_may_be_added(
    model: Path, frames_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sweep"
    assert sweep(model, frames_folder, out, "--chains", "none", "batchnorm", "--budgets", 0) == 0
    result = json.loads((out / "sweep.json").read_text())
    assert {(r["chain"], r["camera"]) for r in result["rows"]} >= {("none", "published"), ("batchnorm", "aligned")}
    assert all(r["selection"] == "none" for r in result["rows"])
    test = result["split"]["test"]
    scored = json.loads(next((out / "scores").glob("batchnorm*")).read_text())
    assert [s["file"] for s in scored["scores"]] == test
    before = {p.name: p.read_bytes() for p in (out / "scores").iterdir()}

    words = ("--chains", "none", "batchnorm", "--budgets", 0, 3, "--strategies", "camera", "lp-ft")
    assert sweep(model, frames_folder, out, *words) == 2
    assert "output folder must be new" in capsys.readouterr().err
    assert sweep(model, frames_folder, out, *words, "--resume") == 0
    rows = json.loads((out / "sweep.json").read_text())["rows"]
    assert {(r["chain"], r["strategy"]) for r in rows if r["budget"] == 3} == {
        (chain, strategy) for chain in ("none", "batchnorm") for strategy in ("camera", "lp-ft")
    }
    assert all((out / "scores" / name).read_bytes() == content for name, content in before.items())
    tuned = json.loads((out / "scores" / "none-lp-ft-003-seed0.json").read_text())
    assert len(tuned["fitted"]) == 3
    assert not set(tuned["fitted"]) & set(test)
    assert "| 3 | batchnorm, lp-ft | aligned |" in (out / "table.md").read_text()
    assert "batchnorm, lp-ft" in (out / "curve.svg").read_text()
    assert sweep(model, frames_folder, out, *words, "--resume", "--against", out) == 0
    assert json.loads((out / "sweep.json").read_text())["against"]["all"]["spearman_rho"]["value"] == 1.0
    assert "Spearman 1.00" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--chains", "magic"), "method must be one of"),
        (("--budgets", "99"), "budgets must be 0 to"),
        (("--strategies", "magic"), "strategy must be one of"),
        (("--first", "1"), "a split needs frames on both sides"),
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
    assert sweep(model, frames_folder, tmp_path / "out", *more) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
