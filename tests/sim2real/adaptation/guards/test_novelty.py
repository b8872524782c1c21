"""Frames like the held-out ones have uniform p-values, others small ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from calibration.errors import InputError
from calibration.records import read_record, write_record
from sim2real.adaptation.guards.covariance import ledoit_wolf
from sim2real.adaptation.guards.novelty import Novelty

Array = NDArray[np.float64]


def features(rng: np.random.Generator, n: int, shift: float = 0.0) -> list[Array]:
    """Two stages of features, correlated within and between."""
    base = rng.normal(size=(n, 3)) + shift
    mix = np.random.default_rng(0)
    return [base @ mix.normal(size=(3, d)) + 0.3 * rng.normal(size=(n, d)) for d in (4, 12)]


def test_p_values_are_uniform_for_frames_like_the_held_out_ones() -> None:
    rng = np.random.default_rng(1)
    values = []
    for _ in range(600):
        novelty = Novelty.fit(features(rng, 15), features(rng, 9))
        values.append(float(novelty.p_value(features(rng, 1))[0]))
    counts = np.bincount(np.rint(np.array(values) * 10).astype(int), minlength=11)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 0.001, counts


def test_frames_unlike_the_others_are_abstained_from() -> None:
    rng = np.random.default_rng(2)
    novelty = Novelty.fit(features(rng, 60), features(rng, 39))
    strange = features(rng, 20, shift=8.0)
    assert novelty.abstain(strange, 0.05).all()
    assert np.allclose(novelty.p_value(strange), 1 / 40)
    assert novelty.abstain(features(rng, 400), 0.05).mean() < 0.12


def test_one_strange_stage_is_enough() -> None:
    rng = np.random.default_rng(3)
    novelty = Novelty.fit(features(rng, 60), features(rng, 39))
    usual = features(rng, 10)
    early = [usual[0] + 20.0, usual[1]]
    assert novelty.abstain(early, 0.05).all()


def test_the_score_is_the_mahalanobis_distance_by_hand() -> None:
    rng = np.random.default_rng(4)
    train, new = rng.normal(size=(30, 5)) * np.arange(1, 6), rng.normal(size=(4, 5))
    novelty = Novelty.fit([train], [train[:3]])
    mean = train.mean(axis=0)
    covariance = ledoit_wolf(train - mean)[0]

    def distance(x: Array) -> Array:
        return np.sqrt(np.einsum("ni,ij,nj->n", x - mean, np.linalg.inv(covariance), x - mean))

    assert np.allclose(novelty.scores([new]), distance(new) / np.median(distance(train)), rtol=1e-4)


def test_each_domain_has_its_own_mean() -> None:
    rng = np.random.default_rng(5)
    simulated, real = rng.normal(size=(40, 6)), rng.normal(size=(20, 6)) + 30.0
    train, domains = [np.concatenate([simulated, real])], ["simulated"] * 40 + ["real"] * 20
    novelty = Novelty.fit(train, [rng.normal(size=(19, 6)) + 30.0], domains)
    between = rng.normal(size=(5, 6)) + 15.0
    assert novelty.abstain([between], 0.05).all()
    # As one cloud, what lies between two domains is the most usual of all.
    assert not Novelty.fit(train, [rng.normal(size=(19, 6)) + 30.0]).abstain([between], 0.05).any()


def test_fewer_frames_than_dimensions() -> None:
    train = np.random.default_rng(6).normal(size=(5, 40))
    novelty = Novelty.fit([train], [train[:1]])
    assert (novelty.scores([train + 5.0]) > 2 * novelty.scores([train])).all()


def test_a_feature_that_never_changed_counts_when_it_does() -> None:
    rng = np.random.default_rng(6)
    train = np.concatenate([rng.normal(size=(500, 6)), np.ones((500, 2))], axis=1)
    novelty = Novelty.fit([train], [train[:1]])
    changed = train[:20].copy()
    changed[:, -1] = 4.0
    assert (novelty.scores([changed]) > 2.0 * novelty.scores([train[:20]]).max()).all()


def test_features_that_are_no_numbers_are_the_strangest() -> None:
    rng = np.random.default_rng(7)
    novelty = Novelty.fit(features(rng, 20), features(rng, 19))
    broken = features(rng, 2)
    broken[1][0, 0] = np.nan
    assert np.isinf(novelty.scores(broken)).tolist() == [True, False]
    assert novelty.p_value(broken)[0] == 1 / 20


def test_a_novelty_survives_its_record(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    novelty = Novelty.fit(features(rng, 20), features(rng, 9))
    write_record(tmp_path / "novelty.json", novelty, {"command": "test"})
    kept = read_record(tmp_path / "novelty.json", Novelty)
    assert kept == novelty
    new = features(rng, 3)
    assert np.array_equal(kept.scores(new), novelty.scores(new))


def test_bad_use_is_named() -> None:
    rng = np.random.default_rng(9)
    novelty = Novelty.fit(features(rng, 20), features(rng, 9))
    with pytest.raises(InputError, match=r"alpha must be 0\.1 or more and below 1 with 9 held-out frames, got 0\.05"):
        novelty.abstain(features(rng, 1), 0.05)
    with pytest.raises(ValueError, match="features of 2 stages are needed, got 1"):
        novelty.scores(features(rng, 1)[:1])
    with pytest.raises(ValueError, match=r"features must be \(N, 4\)"):
        novelty.scores(features(rng, 1)[::-1])
    with pytest.raises(ValueError, match="needs stages"):
        Novelty.fit([], [])
    with pytest.raises(ValueError, match="all finite"):
        Novelty.fit([np.full((3, 2), np.nan)], [np.zeros((1, 2))])
