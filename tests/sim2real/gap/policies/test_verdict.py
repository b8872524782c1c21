"""The sentence and the list, on made-up numbers."""

from typing import Any

import pytest

from sim2real.gap.policies.telling.verdict import next_steps, verdict


def share(value: float, half: float = 0.05) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half}


def row(name: str, source: float, target: float) -> dict[str, Any]:
    return {
        "name": name,
        "source": {"success": share(source)},
        "target": {"success": share(target)},
        "drop": share(source - target),
        "split": None,
        "fewer": [{"episodes": 75, "drop_half": 0.05}],
    }


def result(first: dict[str, Any], *others: dict[str, Any], curves: Any = (), causes: Any = ()) -> dict[str, Any]:
    worst = {
        "station": "held-out simulation 3 (mild)",
        "drop": first["drop"],
        "causes": list(causes),
    }
    return {
        "env": "sim2real/PandaPush-v0",
        "difficulty": "mild",
        "policies": [first, *others],
        "stations": [{}] * 6,
        "curves": list(curves),
        "worst": worst,
        "engine": None,
        "settings": {"curve_episodes": 20},
        "nominal": {"actuation.delay_s": 0.0, "masses.cube.mass_scale": 1.0},
    }


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        (0.9, 0.6, "90 % [85, 95] in the source, 60 % [55, 65] over 6 mild stations of the held-out simulation: 30 "
                   "points lost [25, 35]."),
        (0.9, 0.88, "no change beyond chance [-7 to +3 points]."),
        (0.6, 0.8, "20 points gained [15, 25]."),
    ],
)  # fmt: skip
def test_the_verdict_says_what_is_lost_or_that_nothing_shows(source: float, target: float, said: str) -> None:
    assert verdict(result(row("expert", source, target))).endswith(said)


def test_seeing_or_moving_comes_first_then_the_worst_station_then_other_causes() -> None:
    first = row("push", 0.9, 0.5)
    first["split"] = {"gap": share(0.4), "shares": [{"group": "seeing", "explained": share(0.3), "alone": 0.1}]}
    mass = {"cause": "mass", "values": {"masses.cube.mass_scale": 2.0}, "loss": share(0.2)}
    delay = {"cause": "delay", "values": {"actuation.delay_s": 0.1}, "loss": share(0.5)}
    gain: dict[str, Any] = {"cause": "gain", "values": {}, "loss": share(0.02)}
    there = {**delay, "values": {"actuation.delay_s": 0.04}, "loss": share(0.3)}
    found = next_steps(result(first, curves=[mass, delay, gain], causes=[there, {**mass, "loss": share(0.01)}]))
    assert [s.what.split(",")[0] for s in found] == [
        "Mend seeing first (10 points of it in the source already): it explains",
        "Look at held-out simulation 3 (mild)",
        "Measure delay",
        "Measure mass",
    ]
    assert found[0].command == "sim2real distill --randomization wide"
    assert found[1].points == pytest.approx((0.4, 0.35, 0.45))
    assert found[2].points == pytest.approx((0.3, 0.25, 0.35))
    assert found[2].command == "sim2real calibrate timing"
    assert "alone, as at held-out simulation 3 (mild) (delay_s 0 to 0.04)" in found[2].what
    assert "alone, at size 1 (mass_scale 1 to 2)" in found[3].what


def test_what_nothing_hidden_costs_is_told_where_it_is_sure() -> None:
    told = result(row("push", 0.9, 0.5))
    for engine, steps in ((share(0.02), 1), (share(0.3), 2)):
        found = next_steps({**told, "engine": engine})
        assert len(found) == steps
    assert found[1].what.startswith("Train with physics varied: with nothing hidden")
    assert found[1].points == pytest.approx((0.3, 0.25, 0.35))


def test_a_policy_that_does_better_there_is_named_and_doubt_is_told() -> None:
    found = next_steps(result(row("push", 0.9, 0.88), row("other", 0.8, 0.95)))
    assert [s.what.split(":")[0] for s in found] == ["Take other", "Play more episodes or at more stations"]
    assert "less than 5 points would not show" in found[1].what
    assert found[1].command.endswith("--episodes 300")
    assert next_steps(result(row("push", 0.9, 0.5), row("other", 0.8, 0.4)))[-1].what.startswith("Look at")
