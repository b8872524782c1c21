"""Attribution of a policy's episodes: the planted cause and the engine are told apart."""

from importlib.util import find_spec

import pytest

from envs.standin import Station
from policies.scripted import make_expert
from sim2real.gap.attribution import Attribution
from sim2real.gap.planted_moving import ENGINE, attribute_behaviour, moving_causes

pytestmark = pytest.mark.skipif(
    find_spec("mujoco") is None, reason="MuJoCo is not installed: pip install -e '.[standin]'"
)


def explained(found: Attribution) -> dict[str, float]:
    return {s.group: s.explained.value for s in found.shares}


def test_a_planted_delay_explains_most_and_causes_that_are_nominal_nothing() -> None:
    found = attribute_behaviour(make_expert, "PandaReach-v0", Station.planted(["delay"], 1.0, 3), 3, 0)
    parts = explained(found)
    assert set(parts) == {*moving_causes(), ENGINE}
    assert found.shares[0].group == "delay"
    assert found.gap.value > 0.01
    assert found.gap.value == pytest.approx(parts["delay"] + parts[ENGINE], abs=1e-9)
    assert all(parts[name] == 0.0 for name in moving_causes() if name != "delay")


def test_what_touches_nothing_explains_nothing_and_the_engine_all() -> None:
    # Reaching moves no object, so its mass cannot matter.
    station = Station.planted(["mass", "object offset"], 1.0, 0)
    found = attribute_behaviour(make_expert, "PandaReach-v0", station, 2, 0)
    assert explained(found)["mass"] == pytest.approx(0.0, abs=1e-6)
    assert explained(found)[ENGINE] == pytest.approx(found.gap.value, abs=1e-6)


def test_failures_are_shares_of_episodes() -> None:
    station = Station.planted(["delay"], 1.0, 3)
    found = attribute_behaviour(make_expert, "PandaReach-v0", station, 2, 0, causes=("delay",), measure="loss")
    assert found.gap.unit == "1"
    assert -1.0 <= found.gap.value <= 1.0
    assert found.gap.value == pytest.approx(sum(s.explained.value for s in found.shares) + found.rest)
