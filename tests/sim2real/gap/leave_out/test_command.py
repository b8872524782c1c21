"""`sim2real leave-out` as a user runs it, with a few steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calibration.rig_file import load_rig
from envs.standin import write_standin
from sim2real.cli import main


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("leave_out") / "data"
    write_standin(load_rig("cube_on_table"), out, 9, 3)
    return out


def leave_out(photographs: Path, out: Path, *more: object) -> int:
    words = ["--rig", "cube_on_table", "--real", photographs, "--held-out", "--out", out, "--frames", 16]
    words += ["--batch-size", 8, "--backbone", "test_resnet", "--workers", 0, "--threads", 1, *more]
    return main(["leave-out", *map(str, words)])


def test_it_ranks_resumes_and_takes_more_axes(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert leave_out(photographs, out, "--axes", "camera", "--seeds", 1) == 0
    said = capsys.readouterr().out
    assert "held-out simulation of data: all usable frames" in said
    assert "real photographs" not in said
    first = json.loads((out / "leave_out.json").read_text())
    names = {p.name for p in (out / "scores").iterdir()}
    assert names == {"nothing-seed0.json", "camera-seed0.json"}
    stored = {p.name: p.read_bytes() for p in (out / "scores").iterdir()}
    assert leave_out(photographs, out, "--axes", "camera", "--seeds", 1) == 2
    assert "holds a finished run" in capsys.readouterr().err

    # One is lost, the others are not trained again; an axis is added.
    (out / "scores" / "camera-seed0.json").unlink()
    stamp = (out / "scores" / "nothing-seed0.json").stat().st_mtime_ns
    assert leave_out(photographs, out, "--axes", "camera", "sensor.noise", "--seeds", 1, "--resume") == 0
    assert (out / "scores" / "nothing-seed0.json").stat().st_mtime_ns == stamp
    assert (out / "scores" / "camera-seed0.json").read_bytes() == stored["camera-seed0.json"]
    found = json.loads((out / "leave_out.json").read_text())
    rows = {r["axis"]: r for r in found["axes"]}
    assert set(rows) == {"camera", "sensor.noise"}
    assert rows["camera"] == first["axes"][0]
    values = [r["difference"]["value"] for r in found["axes"]]
    assert values == sorted(values, reverse=True)
    errors = {}
    for name in ("nothing", "camera", "sensor.noise"):
        scores = json.loads((out / "scores" / f"{name}-seed0.json").read_text())["scores"]
        errors[name] = np.array([s["error"] for s in scores])
        assert [s["file"] for s in scores] == found["protocol"]["scored"]
    assert rows["camera"]["difference"]["value"] == pytest.approx((errors["camera"] - errors["nothing"]).mean())
    assert rows["camera"]["paths"] == ["camera.focal_scale", "camera.shift_m", "camera.tilt_rad"]
    # What is held changes the model.
    assert not np.allclose(errors["camera"], errors["nothing"])
    assert not np.allclose(errors["sensor.noise"], errors["nothing"])
    card = json.loads((out / "models" / "camera-seed0" / "model" / "model_card.json").read_text())["value"]
    assert "randomization" in card["trained_on"]
    assert "without camera" in card["trained_on"]
    capsys.readouterr()
    assert leave_out(photographs, out, "--frames", 24, "--resume") == 2
    assert "frames was 16" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--seeds", 0), "seeds must be 1 or more and frames at least batch_size, got 0, 16 and 8"),
        (("--frames", 4), "got 3, 4 and 8"),
        (("--axes", "magic"), "--axes must name groups that vary"),
        (("--rig", "psm_tool"), "needs column"),
    ],
)
def test_bad_settings_write_nothing(
    more: tuple[object, ...], said: str, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave_out(photographs, tmp_path / "out", *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_fitting_side_may_be_scored_alone(photographs: Path, tmp_path: Path) -> None:
    words = ("--axes", "background", "--seeds", 1, "--photographs", "fitting-side")
    assert leave_out(photographs, tmp_path / "out", *words) == 0
    found = json.loads((tmp_path / "out" / "leave_out.json").read_text())
    assert found["protocol"]["rule"].startswith("the fitting side of: by ")
    assert 2 <= len(found["protocol"]["scored"]) < 9
