"""Forecasts against curves whose law is known."""

from typing import Any

import numpy as np
import pytest

from calibration.errors import InputError
from sim2real.gap.forecast import forecast


def curve(rng: Any, frames: Any, runs: int) -> tuple[Any, float]:
    """Errors of runs at these numbers, and what is measured at twice the last: a power law, nearly, and scatter."""
    floor, exponent, level = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(1, 20)
    n = np.array([*frames, 2 * frames[-1]]) / frames[-1]
    law = level * (floor + (1 - floor) * n**-exponent) * np.exp(rng.normal(0, 0.05, len(n)))
    table = law * np.exp(rng.normal(0, 0.1, (runs, len(n))))
    return table[:, :-1], float(table[:, -1].mean())


@pytest.mark.parametrize(("frames", "runs"), [((2, 5, 10), 5), ((5, 10), 3), ((1, 2, 5, 10, 20), 1)])
def test_the_interval_holds_what_is_measured_later_as_often_as_it_says(frames: tuple[int, ...], runs: int) -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for case in range(150):
        table, measured = curve(rng, frames, runs)
        found = forecast(frames, table, 2 * frames[-1], "m", case).error
        hits += found.low <= measured <= found.high
    assert 0.72 <= hits / 150 <= 0.94


def test_a_clear_power_law_is_followed() -> None:
    n = np.array([2, 4, 8, 16, 32], float)
    found = forecast(n, np.tile(10 * n**-0.5, (5, 1)), 64, "m")
    assert found.error.value == pytest.approx(10 * 64**-0.5, rel=0.08)
    assert found.gain == pytest.approx(10 * 32**-0.5 - found.error.value)


def test_a_flat_curve_is_forecast_flat() -> None:
    found = forecast([5, 10, 20], np.full((5, 3), 2.0), 40, "m")
    assert found.error.value == pytest.approx(2.0, rel=0.08)
    assert found.error.low < 2.0 < found.error.high * 1.05


def test_farther_is_less_certain_and_one_point_says_little() -> None:
    n, e = [5, 10, 20], [[3.0, 2.4, 2.0]]

    def width(found: Any) -> float:
        return found.error.high / found.error.low

    assert width(forecast(n, e, 80, "m")) > width(forecast(n, e, 40, "m"))
    assert width(forecast([20], [[2.0]], 40, "m")) > width(forecast(n, e, 40, "m"))
    assert forecast(n, e, 40, "m") == forecast(n, e, 40, "m")


def test_points_may_have_different_numbers_of_runs() -> None:
    nan = float("nan")
    whole = forecast([5, 10], [[3.0, 2.0], [3.3, 2.2]], 20, "m")
    assert forecast([5, 10], [[3.0, 2.0], [3.3, 2.2], [nan, nan]], 20, "m") == whole
    # A run more at one point, far off: less is known of it, and the forecast moves as the mean of the logarithms does.
    ragged = forecast([5, 10], [[3.0, 2.0], [3.3, 2.2], [nan, 3.0]], 20, "m")
    assert ragged.error.value > whole.error.value
    assert ragged.error.high / ragged.error.low > whole.error.high / whole.error.low
    assert ragged.gain == pytest.approx(2.4 - ragged.error.value)
    # Which of the runs is missing does not matter.
    moved = forecast([5, 10], [[nan, 3.0], [3.0, 2.0], [3.3, 2.2]], 20, "m")
    assert moved.error.value == pytest.approx(ragged.error.value)
    with pytest.raises(InputError, match="errors above 0"):
        forecast([5, 10], [[1.0, nan]], 20, "m")


@pytest.mark.parametrize(
    ("frames", "errors", "wanted", "message"),
    [
        ([], [], 5, "rising numbers of frames"),
        ([5, 5], [1.0, 1.0], 10, "rising numbers of frames"),
        ([0, 5], [1.0, 1.0], 10, "rising numbers of frames"),
        ([5, 10], [1.0, 0.0], 20, "errors above 0"),
        ([5, 10], [1.0, 0.9], 10, "more than the 10 frames measured, got 10"),
    ],
)
def test_what_cannot_be_forecast(frames: Any, errors: Any, wanted: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        forecast(frames, errors, wanted, "m")
