import numpy as np

from sim2real.adaptation.guards.transfer import forgetting, negative_transfer


def test_the_negative_transfer_gap_is_above_0_when_the_target_alone_is_better() -> None:
    rng = np.random.default_rng(0)
    alone = rng.gamma(4.0, 0.25, 20)
    bad = negative_transfer(alone + rng.normal(0.5, 0.1, 20), alone, "cm")
    assert bad.is_harm
    assert bad.difference.value > 0.4
    assert "negative transfer gap" in str(bad)
    assert str(bad).endswith(": harm")
    good = negative_transfer(alone - 0.5, alone, "cm")
    assert not good.is_harm
    assert good.difference.high < 0
    assert str(good).endswith(": no harm")
    unclear = negative_transfer(alone + rng.normal(0, 0.5, 20), alone, "cm")
    assert not unclear.is_harm
    assert str(unclear).endswith("no harm beyond chance")


def test_forgetting_is_above_0_when_errors_grow() -> None:
    before = np.random.default_rng(1).gamma(4.0, 0.25, 30)
    assert forgetting(before, before + 0.3).is_harm
    assert not forgetting(before + 0.3, before).is_harm


def test_harm_in_the_mean_of_runs() -> None:
    rng = np.random.default_rng(2)
    alone = rng.gamma(4.0, 0.25, (5, 20))
    assert negative_transfer(alone + 0.5, alone, "cm").is_harm
    one_bad_run = alone + np.array([[2.0], [0.0], [0.0], [-0.5], [-0.5]])
    assert not negative_transfer(one_bad_run, alone, "cm").is_harm
