"""The learning curve of a page: which models are its runs, and what doubling brings."""

from typing import Any

import numpy as np
import pytest

from sim2real.gap.advice import Step, next_steps
from sim2real.gap.forecast import forecast
from sim2real.gap.perception.curve import learning_svg
from sim2real.gap.perception.learning import Learning, forecast_step, learning
from sim2real.scratch import ALONE


def row(name: str, labelled: int, trained_on: str = "7000 simulated frames") -> dict[str, Any]:
    return {"name": name, "selection": f"{labelled} labelled frames" if labelled else "none", "trained_on": trained_on}


def curve_of(found: dict[str, tuple[int, float]], fell_back: tuple[str, ...] = (), fitting: int = 40) -> Learning:
    """A curve of models by name: labelled frames and mean error; frames differ by a pattern of their own."""
    pattern = np.linspace(0.5, 1.5, 9)
    rows = [row("start", 0), *(row(name, k) for name, (k, _) in found.items())]
    errors = [0.03 * pattern, *(mean * pattern for _, mean in found.values())]
    return learning(rows, errors, fell_back, "photos", fitting)


def test_models_of_one_number_are_runs_of_one_point_and_the_forecast_is_of_the_table() -> None:
    found = curve_of({"b": (10, 0.020), "a": (5, 0.024), "c": (10, 0.018), "unlabelled": (0, 0.02), "d": (5, 0.026)})
    assert [(p.labelled, p.names) for p in found.points] == [(5, ("a", "d")), (10, ("b", "c"))]
    assert [p.error.value for p in found.points] == pytest.approx([0.025, 0.019])
    expected = [forecast([5, 10], [[0.024, 0.020], [0.026, 0.018]], k, "m") for k in (20, 40)]
    assert [(a.labelled, a.more) for a in found.ahead] == [(20, 10), (40, 30)]
    for ahead, law in zip(found.ahead, expected, strict=True):
        assert ahead.error.value == pytest.approx(law.error.value)
        assert ahead.gain.value == pytest.approx(law.gain)
        assert (ahead.gain.low, ahead.gain.high) == pytest.approx((0.019 - law.error.high, 0.019 - law.error.low))
        assert ahead.gain.confidence == ahead.error.confidence == 0.8
    assert found.left_out == ()


def test_models_that_say_nothing_of_labels_after_simulation_are_no_runs() -> None:
    rows = [row("start", 0), row("alone", 5, f"5 photographs of photos {ALONE}"), row("kept", 10), row("tuned", 20)]
    errors = [np.full(4, e) for e in (0.03, 0.1, 0.03, 0.02)]
    found = learning(rows, errors, ["kept"], "photos", 40)
    assert [p.names for p in found.points] == [("tuned",)]
    assert dict(found.left_out) == {
        "alone": "trained on photographs alone",
        "kept": "a guard kept the model from simulation",
    }
    nothing = learning(rows[:1] + rows[3:], [errors[0], np.full(4, np.nan)], [], "photos", 40)
    assert nothing.points == nothing.ahead == ()
    assert dict(nothing.left_out) == {"tuned": "no error above 0 was measured"}


@pytest.mark.parametrize(
    ("found", "fitting", "frames"),
    [
        ({}, 40, 10),  # none yet
        ({}, 6, 6),  # there are no ten
        ({"a": (10, 0.02)}, 40, 20),
        ({"a": (10, 0.02)}, 12, 5),  # twenty there are not: a smaller number
        ({"a": (5, 0.03), "b": (10, 0.02)}, 12, 2),
        ({"a": (1, 0.03)}, 1, 2),  # nothing fits, so more are needed
    ],
)
def test_the_command_gives_a_point_that_is_not_there(
    found: dict[str, tuple[int, float]], fitting: int, frames: int
) -> None:
    said = curve_of(found, fitting=fitting).command
    assert said == f"sim2real finetune --model start --real photos --frames {frames} --out tuned{frames}"


def test_what_next_says_gain_expected_error_and_cost() -> None:
    curve = curve_of({"a": (5, 0.02), "b": (10, 0.01)})
    free, dear = (forecast_step(curve, "start", "photos", fitting) for fitting in (40, 13))
    assert free is not None
    assert dear is not None
    assert free.what == "use 10 more frames, 20 in place of 10 (all of them labelled already)"
    assert dear.what == "label 10 more frames, 20 in place of 10 (7 of them still to be labelled)"
    far = forecast_step(curve, "start", "photos", 3)
    assert far is not None
    assert "(10 of them still" in far.what  # what the models saw already needs no label
    ahead = curve.ahead[0]
    assert (dear.gain_m, dear.interval_m) == (ahead.gain.value, (ahead.gain.low, ahead.gain.high))
    assert dear.expected_m == (ahead.error.value, ahead.error.low, ahead.error.high)
    assert dear.command.endswith("--frames 20 --out tuned20")
    assert "80 % prediction interval" in dear.source
    assert forecast_step(curve_of({}), "start", "photos", 40) is None


def test_the_list_has_the_best_model_alone_and_the_forecast_where_its_gain_puts_it() -> None:
    step = forecast_step(curve_of({"a": (5, 0.02), "b": (10, 0.01)}), "start", "photos", 40)
    assert step is not None
    assert step.gain_m is not None
    for gain, place in ((2 * step.gain_m, 1), (step.gain_m / 2, 0)):
        rows = [
            {"name": "start"},
            *(
                {"name": n, "selection": "none", "gain": g, "gain_interval": (0, g)}
                for n, g in (("low", gain / 9), ("high", gain), ("harm", -1.0))
            ),
        ]
        steps = next_steps(None, rows, [], [step])
        assert steps.index(step) == place
        assert [s.what for s in steps if s is not step] == ["use the model high (none)"]
    # What has no number comes behind, before coverage.
    last = Step("label", None, None, "", "")
    listed = next_steps(None, [{"name": "start"}], [{"axis": "hue", "inside": 0.2}], [last, step])
    assert [s.what.split(":")[0] for s in listed] == [step.what.split(":")[0], "label", "widen what looks are drawn"]


def test_the_picture_tells_measured_and_forecast_apart_and_says_its_numbers() -> None:
    svg = learning_svg(curve_of({"a": (5, 0.02), "b": (10, 0.01)}), 0.03, "mm", 1000.0)
    assert svg.startswith("<svg")
    assert "measured 20.00 at 5; measured 10.00 at 10; forecast" in svg
    assert "mean error (mm)" in svg
    assert "labelled frames (log scale)" in svg
    assert "stroke-dasharray" in svg
    assert "<script" not in svg
    assert svg == learning_svg(curve_of({"a": (5, 0.02), "b": (10, 0.01)}), 0.03, "mm", 1000.0)
