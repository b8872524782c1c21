import numpy as np
import pytest

from calibration.errors import InputError
from envs.standin import Station
from policies.evaluation import EpisodeRecord, success_rate
from policies.scripted import make_expert
from policies.scripted.degraded import Degraded, Fault
from sim2real.environments import make_environment
from sim2real.gap.held_out import (
    PolicyOutcomes,
    StationResult,
    agreement,
    at_stations,
    over_stations,
    policy_outcomes,
    said_of,
    source_successes,
    summary_of,
)


def result(seed: int, successes: list[bool]) -> StationResult:
    records = tuple(EpisodeRecord(k, s, s, 0.0, 1, "time") for k, s in enumerate(successes))
    return StationResult(Station(seed), success_rate(sum(successes), len(successes)), records, {})


def test_success_over_stations_doubts_stations_too() -> None:
    alike = over_stations([result(k, [True] * 30 + [False] * 30) for k in range(6)])
    apart = over_stations([result(k, [k < 3] * 60) for k in range(6)])
    assert alike.value == apart.value == 0.5
    assert apart.high - apart.low > 2 * (alike.high - alike.low)
    # 180 of 360 (Wilson).
    assert alike.low <= success_rate(180, 360).low
    every = over_stations([result(k, [True] * 60) for k in range(6)])
    assert every.low == pytest.approx(success_rate(360, 360).low)


def test_every_number_is_of_the_held_out_simulation() -> None:
    results = [result(0, [True, True]), result(1, [True, False])]
    summary = summary_of(results, "mild")
    assert summary["simulation"] == "held-out simulation"
    stations = summary["stations"]
    assert isinstance(stations, list)
    assert [one["station"] for one in stations] == ["held-out simulation 0 (mild)", "held-out simulation 1 (mild)"]
    said = said_of(results)
    assert said.startswith("held-out simulation: success 75 %")
    assert "worst 1 (mild): 50 %" in said


def test_worse_policies_do_worse_in_the_source_and_at_stations() -> None:
    faults = {"good": Fault(), "slow": Fault(gain=0.05)}
    policies = {n: (lambda env, fault=f: Degraded(make_expert(env), fault)) for n, f in faults.items()}
    found = policy_outcomes(policies, "PandaReach-v0", [Station(0), Station(1)], 6, 100)
    assert found.policies == ("good", "slow")
    assert (found.source.shape, found.target.shape, found.all_stations().shape) == ((2, 6), (2, 2, 6), (2, 12))
    assert found.source.mean(axis=1)[0] > found.source.mean(axis=1)[1]
    assert (found.target.mean(axis=2)[0] > found.target.mean(axis=2)[1]).all()


def test_agreement_names_the_station_that_disagrees() -> None:
    rng = np.random.default_rng(0)
    quality = np.linspace(0.1, 0.9, 6)
    source, alike = (rng.random((6, 60)) < quality[:, None] for _ in range(2))
    other = rng.random((6, 60)) < quality[::-1, None]
    found = PolicyOutcomes(tuple("abcdef"), source, np.stack([alike, other], axis=1), (Station(0), Station(1)))
    _, single = agreement(found)
    good, bad = (single[f"held-out simulation {k} (mild)"] for k in (0, 1))
    assert good.pearson is not None
    assert bad.pearson is not None
    assert good.pearson.value > 0.9 > -0.9 > bad.pearson.value
    assert bad.mmrv.value > 0.5 > good.mmrv.value


def test_a_source_of_no_strength_is_the_nominal_one_and_of_full_strength_is_harder() -> None:
    policies = {"expert": make_expert}

    def rates(*given: object) -> np.ndarray:
        return source_successes(policies, "PandaPush-v0", 12, 0, None, *given)  # type: ignore[arg-type]

    np.testing.assert_array_equal(rates("dynamics", 0.0), rates())
    assert rates("dynamics", 1.0).mean() < rates().mean()


def test_outcomes_repeat_and_tell_the_truth_about_the_station() -> None:
    station = Station.planted(["delay"], 0.5)

    def act() -> StationResult:
        return at_stations(make_expert, "PandaReach-v0", [station], 3, 7)[0]

    one, two = act(), act()
    assert [r.total for r in one.records] == [r.total for r in two.records]
    assert [r.seed for r in one.records] == [7, 8, 9]
    assert set(one.hidden) == {"delay"}


def test_faults_are_as_stated() -> None:
    class Constant:
        def predict(self, *_: object) -> tuple[np.ndarray, None]:
            return np.array([0.5, -0.5, 0.0]), None

    def acted(fault: Fault, steps: int = 200) -> np.ndarray:
        policy = Degraded(Constant(), fault)
        return np.array([policy.predict({}, None, np.array([k == 0]))[0] for k in range(steps)])

    np.testing.assert_allclose(acted(Fault()), [[0.5, -0.5, 0.0]] * 200)
    np.testing.assert_allclose(acted(Fault(gain=0.5, bias=0.1))[0], [0.35, -0.25, 0.0])
    np.testing.assert_allclose(acted(Fault(late_steps=2), 4)[:, 0], [0.0, 0.0, 0.5, 0.5])
    assert (acted(Fault(lazy=0.3)) == 0.0).all(axis=1).mean() == pytest.approx(0.3, abs=0.1)
    noisy = acted(Fault(noise=0.1))
    assert noisy[:, 2].std() == pytest.approx(0.1, rel=0.2)
    np.testing.assert_array_equal(noisy, acted(Fault(noise=0.1)))


def test_nothing_is_trained_in_the_held_out_simulation() -> None:
    with pytest.raises(InputError, match=r"is a held-out simulation, which nothing is trained in; .* --held-out 6"):
        make_environment("HeldOutPandaReach-v0")
    with pytest.raises(InputError, match="a held-out simulation is there for"):
        at_stations(make_expert, "DoublePendulum-v0", [Station(0)], 1)
    with pytest.raises(InputError, match="episodes must be 1 or more, got 0"):
        at_stations(make_expert, "PandaReach-v0", [Station(0)], 0)
