"""`sim2real gap`, `compare` and `gate` as a user runs them."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from calibration.rig_file import load_rig
from envs.standin import write_standin
from sim2real.cli import main
from sim2real.gap.command import row_names


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
    # A single frame has no interval.
    regions = [r for part in result["regions"].values() for r in part]
    shown = dict(re.findall(r'<th scope="row">([^<]*)</th><td class="n">([^<]*)</td><td class="n">[^<]*</td>', text))
    assert {r["frames"] > 1 for r in regions} >= {False}
    assert all(("[" in shown[r["region"]]) == (r["frames"] > 1) for r in regions)
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


def test_the_page_of_several_models(
    model: Path, frames_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = []
    for place, trained_on, shift_px in (
        ("a/tuned", "simulation; then 3 photographs", 0.0),
        ("b/tuned", "simulation; then 3 photographs", 40.0),
        ("alone", "3 photographs of data alone, from scratch", 0.0),
    ):
        card = tmp_path / place / "model" / "model_card.json"
        shutil.copytree(model / "model", card.parent)
        record = json.loads(card.read_text())
        record["value"] |= {"selection": "3 labelled frames", "trained_on": trained_on}
        record["value"]["camera"]["intrinsics"]["cx_px"] += shift_px
        card.write_text(json.dumps(record))
        others.append(tmp_path / place)
    decision = {"use": "adapted", "reason": "2 better, <1 worse", "numbers": {}}
    (others[0] / "finished.json").write_text(json.dumps({"decision": decision}))
    more = tmp_path / "more"
    write_standin(load_rig("cube_on_table"), more, 4, 9)
    (more / "labels.csv").unlink()
    words = ("--model", model, "--real", frames_folder, "--held-out", "--simulated", 8, "--others", *others)
    assert run("gap", *words, "--unlabelled", more, "--label-next", 2, "--out", tmp_path / "out") == 0
    result = json.loads((tmp_path / "out" / "gap.json").read_text())
    text = (tmp_path / "out" / "gap.html").read_text()
    (point,) = result["learning"]["points"]
    assert point["names"] == ["a/tuned", "b/tuned"]
    assert [a["labelled"] for a in result["learning"]["ahead"]] == [6, 12]
    assert result["learning"]["left_out"] == [["alone", "trained on photographs alone"]]
    assert text.count("<svg") == 1
    # Weights are those of the first model; one has another camera.
    harm, errors = result["negative_transfer"], {r["name"]: r["mean"] for r in result["rows"]}
    against = {a["name"]: a["difference"] for a in harm["against_alone"]}
    assert set(against) == {"a/tuned", "b/tuned"}
    assert {a["other"] for a in harm["against_alone"]} == {"alone"}
    assert against["a/tuned"]["value"] == 0.0
    assert against["b/tuned"]["value"] == pytest.approx(errors["b/tuned"] - errors["alone"])
    # The table of errors has the same interval, the other way round.
    for row, against_start in zip(result["rows"][1:3], harm["against_start"], strict=True):
        found = against_start["difference"]
        assert row["name"] == against_start["name"]
        assert row["gain"] == pytest.approx(-found["value"])
        assert row["gain_interval"] == pytest.approx([-found["high"], -found["low"]])
    assert "2 better, &lt;1 worse" in text
    assert [m["name"] for m in result["pictures_after"]] == ["a/tuned", "b/tuned", "alone"]
    for after in result["pictures_after"]:
        assert after["stages"] == result["pictures"][:-1]
    assert "biased upwards" in text
    near = result["neighbours"]["frames"]
    errors = {p["file"]: p["error"] for p in result["predictions"]["run"]}
    assert [f["file"] for f in near] == sorted(errors, key=lambda f: (-errors[f], f))[:6]
    assert text.count('class="twin near"') == len(near)
    picks = result["label_next"]["picks"]
    assert [p["rank"] for p in picks] == list(range(1, len(picks) + 1))
    assert 1 <= len(picks) <= 2
    assert all(p["file"].startswith("more/") for p in picks)
    assert any(f"label the {len(picks)} photographs" in s["what"] or len(picks) == 1 for s in result["next"])
    assert any("more frames, 6 in place of 3" in s["what"] and s["expected_m"] for s in result["next"]) == (
        result["learning"]["ahead"][0]["gain"]["value"] > 0
    )
    assert "<script" not in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    # Every place that the page points to is there, once.
    places = re.findall(r' id="([^"]+)"', text)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(places)
    assert run("gap", *words, "--unlabelled", frames_folder, "--out", tmp_path / "no") == 2
    assert "--unlabelled must hold photographs" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_rows_have_names_of_their_own() -> None:
    assert row_names([Path("x/a"), Path("y/b")]) == ["a", "b"]
    assert row_names([Path("x/a"), Path("y/a"), Path("b")]) == ["x/a", "y/a", "b"]
    assert row_names([Path("x/1/2/a"), Path("y/1/2/a")]) == ["x/1/2/a", "y/1/2/a"]


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
