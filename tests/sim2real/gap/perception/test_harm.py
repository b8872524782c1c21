"""Negative transfer on a page, against differences that are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim2real.adaptation.guards.paired import paired_difference
from sim2real.gap.perception.harm import Verdict, guard_verdict, harms, labelled_frames
from sim2real.scratch import ALONE

RNG = np.random.default_rng(0)
FRAMES = RNG.gamma(2.0, 0.01, 20)


def row(name: str, labelled: int, alone: bool = False) -> dict[str, Any]:
    selection = f"{labelled} labelled frames" if labelled else "none"
    return {"name": name, "selection": selection, "trained_on": f"5 photographs {ALONE}" if alone else "simulation"}


def near(shift: float) -> Any:
    """Errors that are higher by a shift, nearly."""
    return FRAMES + shift + RNG.normal(0, 2e-4, len(FRAMES))


def test_each_model_is_compared_with_those_that_saw_as_many_photographs_alone() -> None:
    rows = [row("start", 0), row("worse", 5), row("better", 10), row("same", 10)]
    rows += [row("a5", 5, True), row("a10", 10, True), row("b10", 10, True), row("unlabelled", 0)]
    errors = [FRAMES, near(0.002), near(-0.004), near(-0.001), near(0.0), near(-0.002), near(0.0), near(0.001)]
    found = harms(rows, errors, [], "photos")
    told = {a.name: a for a in found.against_alone}
    assert list(told) == ["worse", "better", "same"]
    assert {n: a.verdict for n, a in told.items()} == {
        "worse": "worse",
        "better": "better",
        "same": "no difference beyond chance",
    }
    assert (told["better"].other, told["worse"].other) == ("a10, b10", "a5")
    # Two runs are averaged frame by frame.
    exact = paired_difference(errors[2], (errors[5] + errors[6]) / 2, "m").mean
    assert told["better"].difference == exact
    assert exact.value == pytest.approx(-0.003, abs=2e-4)
    assert found.command == ""


def test_models_that_are_worse_than_simulation_alone_are_called_out_and_those_trained_on_photographs_alone_not() -> (
    None
):
    rows = [row("start", 0), row("worse", 5), row("adapted", 0), row("better", 5), row("alone", 5, True)]
    found = harms(rows, [FRAMES, near(0.002), near(0.003), near(-0.002), near(0.05)], [], "photos")
    assert [a.name for a in found.harmed] == ["worse", "adapted"]
    assert [a.name for a in found.against_start] == ["worse", "adapted", "better"]
    assert all(a.difference.low > 0 for a in found.harmed)
    assert found.against_start[2].difference.high < 0


@pytest.mark.parametrize(
    ("rows", "command"),
    [
        ([row("start", 0), row("tuned", 7)], "finetune --strategy scratch --model start --real photos --frames 7 "
         "--out alone7"),
        ([row("start", 0)], "finetune --strategy scratch --model start --real photos --frames 10 --out alone10"),
        ([row("start", 0), row("tuned", 7), row("alone", 5, True)], "finetune --model start --real photos --frames 5 "
         "--out tuned5"),
    ],
)  # fmt: skip
def test_what_is_missing_is_a_command(rows: list[dict[str, Any]], command: str) -> None:
    found = harms(rows, [near(0.0) for _ in rows], [], "photos")
    assert found.against_alone == ()
    assert found.command == f"sim2real {command}"


def test_a_frame_without_an_error_does_not_count_and_one_frame_says_nothing() -> None:
    errors = [FRAMES, near(0.002)]
    errors[1][3] = np.nan
    (found,) = harms([row("start", 0), row("worse", 5)], errors, [], "photos").against_start
    assert found.difference.count == len(FRAMES) - 1
    assert harms([row("start", 0), row("worse", 5)], [e[:1] for e in errors], [], "photos").against_start == ()


def test_verdicts_of_guards_are_read_from_run_folders(tmp_path: Path) -> None:
    assert guard_verdict(tmp_path, "x") is None
    decision = {"use": "simulation only", "reason": "it looks worse", "numbers": {}}
    (tmp_path / "adaptation.json").write_text(json.dumps([{"step": "training"}]))  # as sweep writes it
    assert guard_verdict(tmp_path, "x") is None
    (tmp_path / "adaptation.json").write_text(json.dumps({"decision": decision}))
    (tmp_path / "finished.json").write_text(json.dumps({"use": "simulation only"}))
    assert guard_verdict(tmp_path, "x") == Verdict("x", "simulation only", "it looks worse")
    (tmp_path / "finished.json").write_text(json.dumps({"decision": {**decision, "use": "adapted"}}))
    assert guard_verdict(tmp_path, "x") == Verdict("x", "adapted", "it looks worse")
    (tmp_path / "finished.json").write_text(json.dumps({"decision": None}))
    (tmp_path / "adaptation.json").unlink()
    assert guard_verdict(tmp_path, "x") is None


@pytest.mark.parametrize(("text", "number"), [("none", 0), ("12 labelled frames", 12), ("oracle", 0)])
def test_labels_of_a_card(text: str, number: int) -> None:
    assert labelled_frames(text) == number
