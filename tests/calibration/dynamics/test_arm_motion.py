import numpy as np
import pytest

from calibration.dynamics.feasible import base_parameters
from calibration.dynamics.filtering import differentiate, low_pass
from calibration.dynamics.model import ArmModel
from calibration.dynamics.regressor import torque_regressor
from calibration.dynamics.simulate import accelerations_of, simulate
from calibration.errors import InputError
from calibration.pendulum import PendulumLink, PendulumRig
from envs.pendulum.physics import PendulumPhysics

RIG = PendulumRig(
    "arm",
    "three links",
    (
        PendulumLink(0.2, 0.5, 0.15, 0.004, torque_limit=1.0),
        PendulumLink(0.3, 0.6, 0.2, 0.006),
        PendulumLink(0.25, 0.4, 0.1, 0.003),
    ),
)


def arm_of(rig, **terms):
    model = ArmModel(tuple(link.length_m for link in rig.links), gravity_m_s2=rig.gravity_m_s2, **terms)
    return model, base_parameters(model, rig.links)


def some_states(joints, count=20):
    random = np.random.default_rng(0)
    return [scale * random.normal(size=(count, joints)) for scale in (1.5, 3.0, 20.0)]


@pytest.mark.parametrize("links", [1, 2, 3])
def test_torques_are_those_of_pybullet(links):
    rig = PendulumRig("arm", "", RIG.links[:links])
    model, parameters = arm_of(rig)
    physics = PendulumPhysics(rig)
    q, v, a = some_states(links)
    own = torque_regressor(model, q, v, a) @ parameters
    p = physics._pybullet
    theirs = [
        p.calculateInverseDynamics(physics._body, *(x.tolist() for x in state), physicsClientId=physics._client)
        for state in zip(q, v, a, strict=True)
    ]
    physics.close()
    assert np.allclose(own, theirs, rtol=1e-5, atol=1e-5)


def test_the_torque_of_one_link_is_that_of_the_book():
    model = ArmModel((0.5,), friction_velocity_rad_s=0.2)
    q, v, a = some_states(1)
    torque = torque_regressor(model, q, v, a) @ np.array([0.2, 0.3, 0.05, 0.1, 0.01])
    assert np.allclose(
        torque, 0.2 * a + model.gravity_m_s2 * 0.3 * np.sin(q) + 0.05 * v + 0.1 * np.tanh(v / 0.2) + 0.01
    )


@pytest.mark.parametrize("links", [1, 2, 3])
def test_forward_dynamics_undo_inverse_dynamics_with_every_term(links):
    model, parameters = arm_of(PendulumRig("arm", "", RIG.links[:links]), with_stribeck=True, with_rotor=True)
    parameters = parameters + 0.01
    q, v, a = some_states(links)
    torques = torque_regressor(model, q, v, a) @ parameters
    assert np.allclose(accelerations_of(model, parameters, q, v, torques), a)


def test_a_swinging_arm_without_friction_keeps_its_energy():
    model, parameters = arm_of(RIG)
    q, v = simulate(model, parameters, np.array([2.0, 0.5, -1.0]), np.zeros(3), np.zeros((2001, 3)), 0.001)
    angle, rate = q.cumsum(1), v.cumsum(1)
    inertia, moment = parameters[:6:2], parameters[1:6:2]
    energy = 0.5 * rate**2 @ inertia - model.gravity_m_s2 * np.cos(angle) @ moment
    for i in range(3):
        for k in range(i + 1, 3):
            turn = np.cos(angle[:, i] - angle[:, k])
            energy += model.lengths_m[i] * moment[k] * rate[:, i] * rate[:, k] * turn
    assert np.ptp(energy) < 1e-5 * np.ptp(0.5 * rate**2 @ inertia)


def test_a_small_swing_has_the_period_of_the_book():
    model = ArmModel((1.0,), with_offset=False)
    parameters = np.array([1.0, 1.0, 0.0, 0.0])
    q, _ = simulate(model, parameters, np.array([0.01]), np.zeros(1), np.zeros((4001, 1)), 0.001)
    expected = 0.01 * np.cos(np.sqrt(model.gravity_m_s2) * np.arange(4001) * 0.001)
    assert np.allclose(q[:, 0], expected, atol=1e-6)


def test_friction_stops_an_arm():
    model = ArmModel((0.5,), with_offset=False)
    q, v = simulate(model, np.array([0.1, 0.2, 0.02, 0.1]), np.array([1.0]), np.zeros(1), np.zeros((5001, 1)), 0.002)
    assert abs(v[-1, 0]) < 0.05
    # Dry friction of 0.1 N m holds it within asin(0.1 / (0.2 g)), and the smoothed sign lets it creep down.
    assert abs(q[-1, 0]) < 0.06


def test_filtered_derivatives_have_no_delay():
    times = np.arange(2000) * 0.002
    noise = np.random.default_rng(0).normal(scale=1e-4, size=(2000, 1))
    motion = differentiate(np.sin(2 * np.pi * times)[:, None] + noise, 0.002, 10.0)
    inner = slice(200, -200)
    assert np.allclose(motion.velocities[inner, 0], 2 * np.pi * np.cos(2 * np.pi * times)[inner], atol=0.02)
    expected = -((2 * np.pi) ** 2) * np.sin(2 * np.pi * times)
    assert np.allclose(motion.accelerations[inner, 0], expected[inner], atol=0.6)


def test_wrong_settings_are_named():
    with pytest.raises(InputError, match="cut-off must lie between 0 and 50 Hz"):
        low_pass(np.zeros((100, 1)), 60.0, 0.01)
    with pytest.raises(InputError, match="lengths_m must have a length for each link"):
        ArmModel(())
    with pytest.raises(InputError, match="lengths_m must be above 0, got -1"):
        ArmModel((-1.0,))
    with pytest.raises(InputError, match="gravity_m_s2 must be above 0"):
        ArmModel((1.0,), gravity_m_s2=0.0)
