"""Intervals of identified arms cover the truth as often as they say."""

import numpy as np
import pytest

from calibration.dynamics.identify import IdentifySettings, identify
from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import ArmModel
from calibration.dynamics.simulate import simulate

STEP_S = 0.01
FINE = 2


def recorded(model, truth, seed, runs=3, seconds=8.0, position_std=3e-4, torque_std=0.02):
    """Runs of an arm pushed by sums of sines, seen through noisy sensors."""
    random = np.random.default_rng(seed)
    joints = model.joints
    offset = np.array([truth[model.column("offset", k)] for k in range(joints)])
    size = 0.4 * np.array([truth[model.column("moment", k)] for k in range(joints)]) * model.gravity_m_s2
    times = np.arange(round(seconds / STEP_S) + 1) * STEP_S
    hz, phase = random.uniform(0.2, 2.0, size=(4, runs, joints)), random.uniform(0, 2 * np.pi, size=(4, runs, joints))
    torques = offset + size * np.sin(2 * np.pi * hz * times[:, None, None, None] + phase).sum(1) / 2
    at = np.arange((len(times) - 1) * FINE + 1)
    part = (at % FINE / FINE)[:, None, None]
    pushed = (1 - part) * torques[at // FINE] + part * torques[np.minimum(at // FINE + 1, len(times) - 1)]
    start = random.normal(scale=0.5, size=(runs, joints))
    q = simulate(model, truth, start, np.zeros((runs, joints)), pushed, STEP_S / FINE)[0][::FINE]
    # An encoder's noise and its steps.
    seen = np.round((q + random.normal(scale=position_std, size=q.shape)) / 4e-4) * 4e-4
    felt = torques + random.normal(scale=torque_std, size=torques.shape)
    return [MotionLog(f"run {k}", STEP_S, seen[:, k], felt[:, k]) for k in range(runs)]


def drawn_arm(seed, links):
    """A model and the true parameters of a random arm with friction and torque offsets."""
    random = np.random.default_rng(seed)
    lengths = random.uniform(0.2, 0.5, size=links)
    mass, share = random.uniform(0.3, 1.0, size=links), random.uniform(0.5, 1.0, size=links)
    model = ArmModel(tuple(lengths.tolist()), friction_velocity_rad_s=0.3)
    truth = np.zeros(len(model.parts))
    for k in range(links):
        beyond, centre = mass[k + 1 :].sum(), share[k] * lengths[k]
        truth[model.column("inertia", k)] = mass[k] * centre**2 * 1.2 + lengths[k] ** 2 * beyond
        truth[model.column("moment", k)] = mass[k] * centre + lengths[k] * beyond
        truth[model.column("viscous", k)] = random.uniform(0.005, 0.05)
        truth[model.column("coulomb", k)] = random.uniform(0.02, 0.1)
        truth[model.column("offset", k)] = random.uniform(-0.03, 0.03)
    return model, truth


def covered(trials, links_of):
    """How many trials each parameter had, and in how many its interval held the truth."""
    counts, hits = {}, {}
    for seed in range(trials):
        model, truth = drawn_arm(seed, links_of(seed))
        logs = recorded(model, truth, 1000 + seed)
        record = identify(model, logs, "synthetic", IdentifySettings()).record
        for name, value in zip(model.names, truth, strict=True):
            estimate = record.estimates.get(name)
            key = f"{name} of {model.joints}"
            counts[key] = counts.get(key, 0) + 1
            hits[key] = hits.get(key, 0) + bool(estimate and estimate.low <= value <= estimate.high)
    return {key: (hits[key], counts[key]) for key in counts}


@pytest.mark.slow
def test_intervals_cover_the_truth_of_200_arms_parameter_by_parameter():
    one, two = covered(200, lambda seed: 1), covered(200, lambda seed: 2)
    for key, (hits, count) in {**one, **two}.items():
        assert 0.90 <= hits / count <= 0.98, (key, hits, count)


def test_intervals_cover_the_truth_of_some_arms():
    counts = covered(6, lambda seed: 1 + (seed == 5)).values()
    hits, total = (sum(part) for part in zip(*counts, strict=True))
    assert hits / total >= 0.85, (hits, total)
