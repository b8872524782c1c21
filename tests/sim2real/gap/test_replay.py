"""Open-loop error against the horizon."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.dynamics.feasible import base_parameters
from calibration.dynamics.filtering import FilterSettings
from calibration.dynamics.identify import identify
from calibration.dynamics.logs import MotionLog, read_logs
from calibration.dynamics.model import ArmModel
from calibration.dynamics.simulate import simulate, simulator
from calibration.errors import InputError
from calibration.pendulum import load_pendulum
from sim2real.gap.replay import as_plain, replay, replay_svg

MODEL = ArmModel((0.5,), 9.81)
TRUTH = np.array([0.15, 0.32, 0.02, 0.0, 0.0])
FILTERS = FilterSettings()


def run(number: int, seconds: float = 8.0) -> MotionLog:
    rng = np.random.default_rng(number)
    times = np.arange(round(seconds / 0.004)) * 0.004
    torques = (1.2 * np.sin(2 * np.pi * rng.uniform(0.4, 1.0) * times + rng.uniform(0, 6)))[:, None]
    positions, _ = simulate(MODEL, TRUTH, np.zeros(1), np.zeros(1), torques, 0.004)
    return MotionLog(f"run {number}", 0.004, positions, torques)


RUNS = [run(k) for k in range(3)]
TRUE, HEAVY = simulator(MODEL, TRUTH), simulator(MODEL, TRUTH * [1.5, 1.0, 1.0, 1.0, 1.0])


def test_the_true_arm_stays_and_a_heavy_one_drifts_away() -> None:
    true, heavy = replay({"true": [TRUE] * 3, "heavy": [HEAVY] * 3}, RUNS, FILTERS)
    assert [p.horizon_s for p in true.points] == [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
    assert all(p.error.value < 0.02 for p in true.points)
    drift = [p.error.value for p in heavy.points[:4]]
    assert drift == sorted(drift)
    assert heavy.points[3].error.value > 20 * true.points[3].error.value
    assert all(p.error.low <= p.error.value <= p.error.high and p.error.count == 3 for p in heavy.points)


def test_the_error_is_the_root_mean_square_at_that_time() -> None:
    def still(positions: np.ndarray, _v: np.ndarray, torques: np.ndarray, _step: float) -> np.ndarray:
        return np.broadcast_to(positions, (len(torques), *positions.shape))

    log = RUNS[0]
    (curve,) = replay({"still": [still]}, [log], FILTERS, [0.4])
    edge, length = round(FILTERS.edge_s / log.step_s), 100
    first = np.arange(edge, len(log.positions) - edge - length, length)
    moved = log.positions[first + length] - log.positions[first]
    assert curve.points[0].error.value == pytest.approx(float(np.sqrt(np.mean(moved**2))), rel=0.02)


def test_each_run_may_have_an_arm_of_its_own() -> None:
    one, other = (replay({"arm": arms}, RUNS[:2], FILTERS, [0.5])[0] for arms in ([TRUE, HEAVY], [HEAVY, TRUE]))
    both = replay({"heavy": [HEAVY] * 2, "true": [TRUE] * 2}, RUNS[:2], FILTERS, [0.5])
    together = one.points[0].error.value + other.points[0].error.value
    assert together == pytest.approx(both[0].points[0].error.value + both[1].points[0].error.value)
    with pytest.raises(ValueError, match="must have a simulator for each of 2 runs, got 1"):
        replay({"arm": [TRUE]}, RUNS[:2], FILTERS)


def test_horizons_that_do_not_fit_are_left_out() -> None:
    (curve,) = replay({"true": [TRUE]}, [run(5, 2.0)], FILTERS)
    room = 2.0 - 2 * FILTERS.edge_s
    assert [p.horizon_s for p in curve.points] == [h for h in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0) if h < room]
    short = replace(RUNS[0], positions=RUNS[0].positions[:20], torques=RUNS[0].torques[:20])
    with pytest.raises(InputError, match="runs must be longer than"):
        replay({"true": [TRUE]}, [short], FILTERS)


def test_curves_are_drawn_and_told() -> None:
    curves = replay({"true": [TRUE] * 3, "heavy": [HEAVY] * 3}, RUNS, FILTERS)
    svg = replay_svg(curves, "replay", "two arms")
    assert 'aria-label="two arms"' in svg
    for text in ("true", "heavy", "error of joint angles, rad", "time since the replay began, s"):
        assert text in svg
    assert svg == replay_svg(curves, "replay", "two arms")
    plain = as_plain(curves, "synthetic", [log.name for log in RUNS])
    assert plain["curves"][1]["points"][0]["error"]["unit"] == "rad"


@pytest.mark.real
def test_an_identified_arm_follows_a_real_one_longer(real_data: Path) -> None:
    logs, rig = read_logs(real_data / "double_pendulum"), load_pendulum("double_pendulum")
    model = ArmModel(tuple(link.length_m for link in rig.links), rig.gravity_m_s2)
    fit = identify(model, logs[1:3], "two runs")
    arms = {"own": [simulator(model, fit.parameters)], "file": [simulator(model, base_parameters(model, rig.links))]}
    own, file = replay(arms, [logs[3]], FILTERS, [0.1, 0.2, 0.5])
    for mine, theirs in zip(own.points, file.points, strict=True):
        assert mine.error.value < 0.5 * theirs.error.value
