"""Causes of one station, one at a time."""

import pytest

from calibration.rig_file import load_rig
from envs.standin import Station
from envs.tasks import make_task
from sim2real.gap.policies.playing.pieces import Episodes
from sim2real.gap.policies.worst import alone, causes_alone, loss_of_engine

TASK = make_task("Push", load_rig("panda_tabletop"))


def episodes(successes: int, of: int = 20) -> Episodes:
    return Episodes("somewhere", tuple(range(of)), tuple(k < successes for k in range(of)), (0.0,) * of, (1,) * of)


@pytest.mark.parametrize("cause", ["friction", "delay", "gravity tilt", "light"])
def test_a_cause_alone_has_the_values_that_it_has_among_all(cause: str) -> None:
    station, nominal = Station(4, "medium"), TASK.nominal_world()
    assert alone(station, cause).hidden(TASK.rig, nominal) == {cause: station.hidden(TASK.rig, nominal)[cause]}


def test_what_costs_most_comes_first() -> None:
    station, nominal = Station(1), TASK.nominal_world()
    hidden = {c: v for c, v in station.hidden(TASK.rig, nominal).items() if c in ("friction", "delay", "mass")}
    after = {"friction": 15, "delay": 4, "mass": 15}
    found = causes_alone(station, hidden, lambda _, cause: episodes(after[cause]), episodes(19))
    sizes = station.sizes()
    second, third = sorted(["friction", "mass"], key=lambda c: -sizes[c])
    assert [c.cause for c in found] == ["delay", second, third]
    assert [c.loss.value for c in found] == pytest.approx([0.75, 0.2, 0.2])
    assert found[0].size == sizes["delay"]
    assert found[0].values == hidden["delay"]


def test_the_engine_is_told_by_the_starts_that_both_have() -> None:
    assert loss_of_engine(episodes(18, of=40), episodes(10)).value == pytest.approx(18 / 20 - 10 / 20)
    assert loss_of_engine(episodes(8, of=10), episodes(20)).value == pytest.approx(8 / 10 - 1)
