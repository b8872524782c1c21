"""Poses from points: exact without noise, intervals that hold the truth, mixed-up frames named."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.errors import InputError
from calibration.rigid_fit import fit_rigid, rigid_record


def _points(seed: int, noise_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    b = rng.uniform(-0.2, 0.2, (20, 3))
    turn, shift = Rotation.random(random_state=seed).as_matrix(), rng.uniform(-1, 1, 3)
    return b @ turn.T + shift + rng.normal(0, noise_m, b.shape), b, turn, shift


def test_the_pose_is_exact_without_noise() -> None:
    a, b, turn, shift = _points(0, 0.0)
    fit = fit_rigid(a, b)
    np.testing.assert_allclose(fit.pose.matrix()[:3, :3], turn, atol=1e-9)
    np.testing.assert_allclose(fit.pose.position_m, shift, atol=1e-9)
    assert fit.scale == pytest.approx(1.0)


def test_intervals_hold_the_truth() -> None:
    inside = []
    for seed in range(200):
        a, b, turn, shift = _points(seed, 1e-3)
        fit = fit_rigid(a, b)
        off = turn @ fit.pose.matrix()[:3, :3].T
        middle = b.mean(axis=0) @ turn.T + shift
        there = b.mean(axis=0) @ fit.pose.matrix()[:3, :3].T + fit.pose.position_m
        errors = np.concatenate([middle - there, Rotation.from_matrix(off).as_rotvec()])
        half = [e.high for e in rigid_record(fit, "made up").estimates.values()]
        inside.append(np.abs(errors) < half)
    share = np.mean(inside, axis=0)
    assert (share >= 0.9).all(), share
    assert (share <= 0.985).all(), share


def test_mixed_up_frames_are_named() -> None:
    a, b, _, _ = _points(3, 1e-4)
    faults = [f.what for f in rigid_record(fit_rigid(a, b * 1000.0), "p").findings if f.level == "fault"]
    assert faults == ["the second points are in millimetres"]
    mirrored = rigid_record(fit_rigid(a, b * (1, 1, -1)), "p")
    assert [f.what for f in mirrored.findings if f.level == "fault"] == ["the points fit a mirror image"]
    assert rigid_record(fit_rigid(a, b), "p").findings == ()
    with pytest.raises(InputError, match="4 pairs or more, got 3 and 3"):
        fit_rigid(a[:3], b[:3])
    with pytest.raises(InputError, match="do not lie on a line"):
        fit_rigid(np.outer(np.arange(5), (1, 0, 0)), np.outer(np.arange(5), (0, 1, 0)))
