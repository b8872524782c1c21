"""Curves of robustness."""

import pytest

from calibration.errors import InputError
from calibration.rig_file import load_rig
from envs.tasks import make_task
from sim2real.gap.policies.curves import SIZES, chosen_causes, curve_of, planted
from sim2real.gap.policies.playing.pieces import Episodes

TASK = make_task("Push", load_rig("panda_tabletop"))


def episodes(*success: bool) -> Episodes:
    count = len(success)
    return Episodes("somewhere", tuple(range(count)), success, (0.0,) * count, (1,) * count)


def test_size_0_is_the_rigs_own_world_and_the_same_for_every_cause() -> None:
    nominal = TASK.nominal_world()
    stations = {planted(cause, 0.0) for cause in ("friction", "delay", "light")}
    assert len(stations) == 1
    (value,) = stations.pop().hidden(TASK.rig, nominal)["mass"].values()
    assert value == pytest.approx(1.0, abs=1e-6)


def test_larger_sizes_are_farther_in_the_same_direction() -> None:
    nominal = TASK.nominal_world()
    known = [planted("mass", size).hidden(TASK.rig, nominal)["mass"] for size in SIZES]
    factors = [next(iter(own.values())) for own in known]
    assert factors in (sorted(factors), sorted(factors, reverse=True))
    assert abs(factors[-1] - 1) > 0.3


def test_a_curve_has_a_rate_at_each_size_and_its_paired_loss() -> None:
    at = {0.0: episodes(True, True, True, True), 0.5: episodes(True, True, False, True), 1.0: episodes(*[False] * 4)}
    found = curve_of("delay", at, {"actuation.delay_s": 0.1})
    assert [(p.size, p.rate.value) for p in found.points] == [(0.0, 1.0), (0.5, 0.75), (1.0, 0.0)]
    assert found.loss.value == 1.0
    assert found.loss.low > 0.2


def test_causes_are_chosen_by_name() -> None:
    assert chosen_causes(("mass", "delay")) == ("mass", "delay")
    assert chosen_causes(("none",)) == ()
    for wrong in (("mas",), ("none", "mass")):
        with pytest.raises(InputError, match=r"--curves takes causes, camera tilt, .* or none alone; got"):
            chosen_causes(wrong)
    with pytest.raises(InputError, match="--curves must name each cause once"):
        chosen_causes(("mass", "mass"))
