"""Results of evaluate, sweep and transfer as they lie on disk, read for comparison."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.errors import InputError
from sim2real.gap.compare import as_text, compare
from sim2real.gap.limits import as_text as limits_text
from sim2real.gap.limits import check_limits, read_limits
from sim2real.gap.measured import Measured, frame_protocol, read_measured

FILES = tuple(f"{k:02d}.jpg" for k in range(12))


def protocol(files: tuple[str, ...] = FILES) -> Any:
    return frame_protocol("real photographs", "cube position", "by column", files, "00ff")


def evaluation(folder: Path, name: str, errors: Any, files: tuple[str, ...] = FILES) -> Path:
    path = folder / f"{name}.json"
    head = {"format": "sim2real.evaluation", "protocol": protocol(files).to_plain(), "display_unit": "cm"}
    path.write_text(json.dumps(head))
    with path.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "error_m"])
        writer.writerows(zip(files, errors, strict=True))
    return path


def measured(**rows: Any) -> Measured:
    return Measured("result", protocol(), "cm", 100.0, {k: np.atleast_2d(v) for k, v in rows.items()})


def test_an_evaluation_is_one_row_in_the_protocols_order(tmp_path: Path) -> None:
    found = read_measured(evaluation(tmp_path, "a", np.arange(12) / 100))
    assert found.protocol == protocol()
    np.testing.assert_allclose(found.rows["model"], [np.arange(12) / 100])


def test_rows_of_a_sweep_and_of_a_transfer(tmp_path: Path) -> None:
    (tmp_path / "sweep" / "scores").mkdir(parents=True)
    row = {"chain": "colour", "camera": "aligned", "budget": 5, "strategy": "lp-ft", "mean": 1.0}
    head = {"format": "sim2real.sweep", "protocol": protocol().to_plain(), "display_unit": "cm", "rows": [row]}
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(head))
    for seed in (1, 0):
        record = {**row, "seed": seed, "scores": [{"file": f, "error": seed + k / 10} for k, f in enumerate(FILES)]}
        (tmp_path / "sweep" / "scores" / f"colour-lp-ft-005-seed{seed}.json").write_text(json.dumps(record))
    # A score of a row that the comparison does not report is not one of its rows.
    other = {**record, "chain": "fourier"}
    (tmp_path / "sweep" / "scores" / "fourier-lp-ft-005-seed0.json").write_text(json.dumps(other))
    found = read_measured(tmp_path / "sweep")
    assert list(found.rows) == ["colour, lp-ft, camera aligned, 5 labels"]
    np.testing.assert_allclose(next(iter(found.rows.values())), np.arange(12) / 10 + np.array([[0], [1]]))

    predictions = [
        {"file": f, "key": "tuned", "budget": 10, "seed": s, "subset": 0, "error": None if k == 3 else s + k}
        for s in (0, 1)
        for k, f in enumerate(FILES)
    ]
    result = {
        "format": "sim2real.transfer",
        "protocol": protocol().to_plain(),
        "quantity": {"display_unit": "mm"},
        "rows": [{"key": "tuned", "method": "fine-tuned", "budget": 10}],
        "predictions": predictions,
    }
    (tmp_path / "transfer.json").write_text(json.dumps(result))
    found = read_measured(tmp_path / "transfer.json")
    table = found.rows["fine-tuned, 10 labels"]
    assert table.shape == (2, 12)
    assert np.isnan(table[:, 3]).all()
    assert table[1, 5] == 6.0
    assert (found.unit, found.scale) == ("mm", 1000.0)


def test_what_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must hold gap\.json, transfer\.json or sweep\.json"):
        read_measured(tmp_path)
    old = tmp_path / "old.json"
    old.write_text(json.dumps({"format": "sim2real.evaluation"}))
    with pytest.raises(InputError, match=r"must hold its protocol .*; measure again with `sim2real evaluate`"):
        read_measured(old)
    old.write_text(json.dumps({"format": "other"}))
    with pytest.raises(InputError, match="a result must be of gap, transfer, evaluate, sweep, got format other"):
        read_measured(old)
    path = evaluation(tmp_path, "short", np.arange(12))
    path.with_suffix(".csv").write_text("file,error_m\n00.jpg,1.0\n")
    with pytest.raises(InputError, match=r"lacks 01\.jpg"):
        read_measured(path)


def test_a_shift_of_all_frames_is_found_though_frames_differ_more() -> None:
    rng = np.random.default_rng(0)
    before = rng.gamma(2.0, 0.01, 12)
    (row,) = compare(measured(model=before), measured(model=before + 0.002 + rng.normal(0, 2e-4, 12)))
    assert row.verdict == "worse"
    assert row.difference.mean.value == pytest.approx(0.002, rel=0.1)
    assert row.first.high > row.second.low  # unpaired, nothing could be said
    (row,) = compare(measured(model=before), measured(model=before + rng.normal(0, 2e-3, 12)))
    assert row.verdict == "no difference"
    assert "| model |" in as_text(measured(model=before), measured(model=before), [row])


def test_rows_of_other_names_are_compared_only_where_there_is_one_each() -> None:
    (row,) = compare(measured(a=np.arange(1, 13.0)), measured(b=np.arange(2, 14.0)))
    assert row.row == "a / b"
    assert row.difference.mean.value == pytest.approx(1.0)
    with pytest.raises(InputError, match="must share a row to be compared, got a, c"):
        compare(measured(a=np.arange(12.0), c=np.arange(12.0)), measured(b=np.arange(12.0)))
    runs = np.stack([np.arange(1, 13.0), np.arange(3, 15.0)])
    (row,) = compare(measured(a=runs), measured(a=np.arange(2, 14.0)))
    assert row.difference.mean.value == pytest.approx(0.0)


def test_other_frames_are_not_compared(tmp_path: Path) -> None:
    one, two = evaluation(tmp_path, "a", np.arange(12)), evaluation(tmp_path, "b", np.arange(11), FILES[1:])
    with pytest.raises(InputError, match="must be of one protocol to be compared, got scored 12 items"):
        compare(read_measured(one), read_measured(two))


def test_limits_are_checked_number_by_number(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    lines = [
        f'[[limit]]\nrow = "model"\nat_most_m = {most}\nnumber = "{number}"\n'
        for number, most in (("mean", 0.0651), ("median", 0.0649), ("p90", 0.1091), ("worst", 0.12), ("upper", 0.07))
    ]
    path.write_text("".join(lines))
    checked = check_limits(measured(model=np.arange(1, 13) / 100), read_limits(path), str(path))
    assert [c.kept for c in checked] == [True, False, True, True, False]
    assert [c.found_m for c in checked[:4]] == pytest.approx([0.065, 0.065, 0.109, 0.12])
    assert "BROKEN: model: median 6.50 cm, at most 6.49" in limits_text(measured(model=np.arange(12)), checked)
    # A frame that could not be scored has no worst error that anybody could promise.
    unscored = measured(model=[np.nan, *np.arange(11) / 100])
    assert check_limits(unscored, read_limits(path), "")[3].found_m == float("inf")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit = 3", r"limits\.toml"),
        ("", r"limits\.toml"),
        ('[[limit]]\nrow = "model"\nat_most_m = 0.0', "at_most_m must be above 0, got 0.0 for row 'model'"),
        ('[[limit]]\nrow = "model"\nat_most_m = 1.0\nnumber = "best"', r"limits\.toml"),
        ('[[limit]]\nrow = "no"\nat_most_m = 1.0', "row must be one of model, got 'no'"),
        ('fewest_frames = 75\n[[limit]]\nrow = "model"\nat_most_m = 1.0', "ask for 75 scored frames, got 12"),
        ("[[", "must be TOML"),
    ],
)
def test_limits_that_say_nothing_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        check_limits(measured(model=np.arange(12)), read_limits(path), str(path))
