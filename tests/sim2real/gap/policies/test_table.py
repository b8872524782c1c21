"""Numbers of a policy from made-up episodes."""

import numpy as np
import pytest

from sim2real.gap.policies.playing.pieces import Episodes
from sim2real.gap.policies.table import Played, policy_row, worst_station


def episodes(place: str, successes: int, of: int = 40, steps: int = 10) -> Episodes:
    success = tuple(k < successes for k in range(of))
    lengths = tuple(steps + k % 3 if s else 50 for k, s in enumerate(success))
    return Episodes(place, tuple(range(of)), success, tuple(-float(n) for n in lengths), lengths)


def played(source: int, *target: int) -> Played:
    return Played(episodes("source", source), tuple(episodes(f"station {k}", n) for k, n in enumerate(target)))


def test_each_place_has_its_numbers() -> None:
    row = policy_row("expert", "true state", played(36, 30, 20, 28), None, 50, 0)
    assert row["source"]["success"]["value"] == 0.9
    assert row["target"]["success"]["value"] == pytest.approx(0.65)
    assert [s["success"]["value"] for s in row["stations"]] == [0.75, 0.5, 0.7]
    assert [s["drop"]["value"] for s in row["stations"]] == pytest.approx([0.15, 0.4, 0.2])
    assert row["drop"]["value"] == pytest.approx(0.25)
    assert (row["true_state"], row["split"]) == (None, None)
    assert row["stations"][1]["successes"] == "1" * 20 + "0" * 20
    time = row["stations"][1]["steps_to_success"]
    assert time["value"] == pytest.approx(np.mean([10 + k % 3 for k in range(20)]))
    assert time["episodes"] == 20
    assert row["target"]["steps_to_success"]["episodes"] == 78
    assert row["source"]["return"]["value"] == pytest.approx(
        -np.mean([10 + k % 3 if k < 36 else 50 for k in range(40)])
    )


def test_a_policy_that_never_succeeds_has_no_time_and_two_say_little() -> None:
    row = policy_row("lazy", "true state", played(2, 0), None, 50, 0)
    assert row["stations"][0]["steps_to_success"] is None
    time = row["source"]["steps_to_success"]
    assert 1.0 <= time["low"] <= time["value"] <= time["high"] <= 50.0
    assert row["target"]["success"]["low"] == 0.0


def test_an_eye_and_the_true_state_are_told_apart() -> None:
    row = policy_row("push", "eye", played(32, 16, 20), played(40, 36, 36), 50, 0)
    shares = {s["group"]: s for s in row["split"]["shares"]}
    assert row["split"]["gap"]["value"] == pytest.approx(1.0 - 18 / 40)
    assert shares["moving"]["alone"] == pytest.approx(row["true_state"]["drop"]["value"]) == pytest.approx(0.1)
    assert shares["seeing"]["alone"] == pytest.approx(0.2)
    assert row["split"]["shares"][0]["group"] == "seeing"


def test_the_worst_station_has_the_least_success() -> None:
    assert worst_station(played(40, 30, 12, 12)) == 1
