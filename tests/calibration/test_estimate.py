import math

import pytest

from calibration.estimate import Estimate


def test_an_estimate_reads_as_a_person_would_say_it() -> None:
    estimate = Estimate(0.02134, 0.018, 0.0251, 0.95, 20, "m", "fit")
    assert str(estimate) == "0.02134 m [0.018, 0.0251], 20 observations"


@pytest.mark.parametrize(
    ("value", "low", "high", "confidence", "message"),
    [
        (1.0, 1.1, 1.2, 0.95, r"interval must hold the value, got 1.0 \[1.1, 1.2\]"),
        (1.0, 0.8, 0.9, 0.95, "interval must hold the value"),
        (math.nan, 0.8, 0.9, 0.95, "estimate must be finite"),
        (1.0, -math.inf, 1.2, 0.95, "estimate must be finite"),
        (1.0, 0.9, 1.2, 95.0, "confidence must lie between 0 and 1, got 95.0"),
    ],
)
def test_what_cannot_be_an_estimate(value: float, low: float, high: float, confidence: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Estimate(value, low, high, confidence, 3, "m", "fit")
