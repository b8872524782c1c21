"""Planted shifts: who has which sensor, and what is called negative transfer."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from calibration.rig_file import load_rig
from sim2real.benchmarks import shifts
from sim2real.cli import main
from sim2real.presets import load_preset, rig_spec

GUARDS = {"without_labels": "adapted", "with_labels": "simulation only", "label_shift": True}


def warmth(pictures: Any) -> Any:
    """Return the ratio of blue to red of each picture."""
    means = np.asarray(pictures, np.float64).mean(axis=(1, 2))
    return means[:, 2] / means[:, 0]


def test_colour_by_label_differs_by_side_and_in_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifts, "_SCORED", 12)
    monkeypatch.setattr(shifts, "_UNLABELLED", 4)
    rig = load_rig("cube_on_table")
    card: Any = SimpleNamespace(rig=rig)
    spec = rig_spec(rig, load_preset("geometry"))
    planted = shifts.shifts(1.0)
    (plain, _), (same, _), (sides, other), (part, _), (near, _), (both, _) = (
        shifts._draw(card, spec, shift)
        for shift in (
            shifts.Shift({}, {}),
            planted["colour"],
            planted["colour by label"],
            planted["labels at one side"],
            planted["labels at the near edge"],
            planted["colour, labels at one side"],
        )
    )
    for frames in (same, sides):
        np.testing.assert_array_equal(frames.keypoints_px, plain.keypoints_px)
        np.testing.assert_array_equal(frames.points_m, plain.points_m)
    assert len(other.rgb) == 4
    assert len(part.rgb) == 12
    assert part.keypoints_px[:, 0, 0].max() < np.median(plain.keypoints_px[:, 0, 0])
    assert near.keypoints_px[:, 0, 1].min() > np.median(plain.keypoints_px[:, 0, 1])
    np.testing.assert_array_equal(both.points_m, part.points_m)
    assert (warmth(both.rgb) > warmth(part.rgb)).all()
    middle = np.median(np.concatenate([sides.keypoints_px, other.keypoints_px])[:, 0, 0])
    left = sides.keypoints_px[:, 0, 0] < middle
    assert 0 < left.sum() < 12
    np.testing.assert_array_equal(sides.rgb[left], same.rgb[left])
    assert (warmth(sides.rgb)[left] > warmth(plain.rgb)[left]).all()
    assert (warmth(sides.rgb)[~left] < warmth(plain.rgb)[~left]).all()


def test_no_strength_is_no_shift() -> None:
    for shift in shifts.shifts(0.0).values():
        assert shift.share == 1.0
        for values in (shift.left, shift.right):
            for name, value in values.items():
                assert np.allclose(value, 1.0 if name in ("white_balance", "saturation", "gamma") else 0.0)


def test_more_error_than_before_is_negative_transfer_and_a_share_of_no_gap_is_not_given() -> None:
    rng = np.random.default_rng(0)
    source = rng.gamma(2.0, 1.0, 60)
    before = source + 2.0
    worse = shifts._row("colour", "m", source, before, before + rng.normal(1.0, 0.2, 60), GUARDS)
    assert worse["verdict"] == "negative transfer"
    assert worse["with_labels"] == "simulation only"
    assert worse["recovered"] == pytest.approx(-0.5, abs=0.1)
    half = shifts._row("colour", "m", source, before, source + 1.0, GUARDS)
    assert (half["verdict"], half["recovered"]) == ("helps", pytest.approx(0.5))
    assert shifts._row("colour", "m", source, source - 0.1, source, GUARDS)["recovered"] is None


def test_what_it_needs_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["benchmark", "--what", "shifts"]) == 2
    assert "shifts needs --model" in capsys.readouterr().err
    assert main(["benchmark", "--what", "shifts", "--model", str(tmp_path), "--methods", "nothing"]) == 2
    assert "nothing" in capsys.readouterr().err
    assert main(["benchmark", "--what", "shifts", "--model", str(tmp_path), "--shifts", "fog"]) == 2
    assert "shifts must be among none; colour; blur" in capsys.readouterr().err
