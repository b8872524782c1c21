import dataclasses
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.integrate import solve_ivp
from stable_baselines3.common.env_checker import check_env as check_env_sb3

import envs  # noqa: F401 - registers the ids
from calibration.errors import InputError
from calibration.pendulum import PendulumLink, PendulumRig, load_pendulum, pendulum_names
from envs.pendulum.env import PendulumEnv
from envs.pendulum.physics import TIMESTEP_S, PendulumPhysics
from envs.pendulum.spread import SpreadRigs
from sim2real.environments import make_environment

LINK = PendulumLink(0.5, 0.7, 0.4, 0.01, torque_limit=2.0)
SIMPLE = PendulumRig("simple", "one link", (LINK,))
UPPER, LOWER = PendulumLink(0.2, 0.6, 0.15, 0.003, 0.01), PendulumLink(0.3, 0.5, 0.25, 0.004, 0.02, 0.0, 1.0)
LINKS = (UPPER, LOWER)
DOUBLE = PendulumRig("double", "two links", LINKS)


def moved(rig: PendulumRig, start: Any, seconds: float, torques: Any = None, velocities: Any = None) -> Any:
    """Return positions and velocities every 10 ms."""
    physics = PendulumPhysics(rig)
    count = len(rig.links)
    physics.place(np.array(start, float), np.zeros(count) if velocities is None else np.array(velocities, float))
    found = [physics.read()]
    for _ in range(round(seconds * 100)):
        physics.step(np.zeros(count) if torques is None else np.array(torques, float), 10)
        found.append(physics.read())
    physics.close()
    return np.array(found)


def test_small_swings_have_the_period_of_a_physical_pendulum() -> None:
    angles = moved(SIMPLE, [0.05], 6.0)[:, 0, 0]
    falling = np.flatnonzero((angles[:-1] > 0) & (angles[1:] <= 0))
    crossings = falling + angles[falling] / (angles[falling] - angles[falling + 1])
    inertia = LINK.inertia_kg_m2 + LINK.mass_kg * LINK.centre_m**2
    expected = 2 * np.pi * np.sqrt(inertia / (LINK.mass_kg * 9.81 * LINK.centre_m))
    assert np.diff(crossings).mean() / 100 == pytest.approx(expected, rel=2e-3)


def test_without_friction_energy_stays() -> None:
    states = moved(SIMPLE, [2.5], 5.0)[:, :, 0]
    inertia = LINK.inertia_kg_m2 + LINK.mass_kg * LINK.centre_m**2
    energy = 0.5 * inertia * states[:, 1] ** 2 - LINK.mass_kg * 9.81 * LINK.centre_m * np.cos(states[:, 0])
    assert np.ptp(energy) < 0.01 * LINK.mass_kg * 9.81 * LINK.centre_m


def test_dry_friction_takes_the_same_from_every_swing_and_holds_at_last() -> None:
    friction = 0.03
    rig = dataclasses.replace(SIMPLE, links=(dataclasses.replace(LINK, friction=friction),))
    states = moved(rig, [0.3], 14.0)[:, :, 0]
    turns = np.flatnonzero(states[1:-1, 1] * states[2:, 1] < 0) + 1
    peaks = np.abs(np.concatenate([[0.3], states[turns, 0]]))
    weight = LINK.mass_kg * 9.81 * LINK.centre_m
    # Of each half swing 2 f / (m g c), for small angles.
    assert -np.diff(peaks[:4]).mean() == pytest.approx(2 * friction / weight, rel=0.05)
    assert np.ptp(states[-100:, 0]) < 1e-4
    assert abs(states[-1, 0]) < friction / weight + 1e-3


def double_motion(rig: PendulumRig, start: Any, seconds: float, torques: Any) -> Any:
    """Return the solution of the manipulator equations every 10 ms (Spong, Hutchinson & Vidyasagar 2006)."""
    one, two = rig.links

    def motion(_: float, state: Any) -> Any:
        q1, q2, v1, v2 = state
        a = one.inertia_kg_m2 + one.mass_kg * one.centre_m**2 + two.mass_kg * one.length_m**2
        b = two.inertia_kg_m2 + two.mass_kg * two.centre_m**2
        c = two.mass_kg * one.length_m * two.centre_m
        mass = np.array([[a + b + 2 * c * np.cos(q2), b + c * np.cos(q2)], [b + c * np.cos(q2), b]])
        whirl = c * np.sin(q2) * np.array([-(2 * v1 * v2 + v2**2), v1**2])
        lower = two.mass_kg * rig.gravity_m_s2 * two.centre_m * np.sin(q1 + q2)
        upper = (one.mass_kg * one.centre_m + two.mass_kg * one.length_m) * rig.gravity_m_s2 * np.sin(q1)
        drag = np.array([one.damping * v1, two.damping * v2])
        forces = np.array(torques) - whirl - np.array([upper + lower, lower]) - drag
        return [v1, v2, *np.linalg.solve(mass, forces)]

    times = np.arange(round(seconds * 100) + 1) / 100
    return solve_ivp(motion, (0, seconds), [*start, 0.0, 0.0], t_eval=times, rtol=1e-9, atol=1e-9).y.T


@pytest.mark.parametrize(("start", "torques"), [((0.8, -0.5), (0.0, 0.0)), ((0.1, 0.2), (0.0, 0.4))])
def test_two_links_move_as_the_equations_of_motion_say(start: Any, torques: Any) -> None:
    found = moved(DOUBLE, start, 1.5, torques)
    expected = double_motion(DOUBLE, start, 1.5, torques)
    np.testing.assert_allclose(found[:, 0], expected[:, :2], atol=0.03)


def test_a_recorded_hold_takes_the_torque_of_the_shipped_pendulum(real_data: Path) -> None:
    # The log: moved by hand while the motor carries the weight.
    log = np.genfromtxt(real_data / "simple_pendulum" / "gravity_compensation_by_hand.csv", delimiter=",", names=True)
    link, sines = load_pendulum("simple_pendulum").links[0], np.sin(log["position"])
    measured = (sines @ log["torque"]) / (sines @ sines)
    assert link.mass_kg * link.centre_m * 9.81 == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize("name", ["SimplePendulum", "DoublePendulum"])
def test_the_checkers_have_nothing_to_say(name: str) -> None:
    env = gymnasium.make(f"sim2real/{name}-v0", render_mode="rgb_array").unwrapped
    check_env(env)
    check_env_sb3(env)
    env.close()
    env.close()


def test_upright_is_success_and_costs_least() -> None:
    env = PendulumEnv("double_pendulum", render_mode="rgb_array")
    _, info = env.reset(options={"positions": [np.pi, 0.0]})
    assert info["is_success"]
    _, up, _, _, _ = env.step(np.zeros(2))
    _, info = env.reset(options={"positions": [0.0, 0.0]})
    assert not info["is_success"]
    picture = env.render()
    _, down, _, _, _ = env.step(np.zeros(2))
    assert down < -9.0 < -0.1 < up <= 0.0
    assert picture is not None
    # Hanging, the weight is drawn below the middle.
    red = (picture[..., 0] > 150) & (picture[..., 1] < 100)
    assert np.nonzero(red)[0].mean() > 180
    env.close()


def test_an_episode_repeats_and_may_have_its_own_values() -> None:
    heavy = dataclasses.replace(SIMPLE, links=(dataclasses.replace(LINK, mass_kg=2.0),))
    env = PendulumEnv(SIMPLE, rigs=lambda rng: heavy if rng.random() < 0.5 else SIMPLE)
    rigs = {env.reset(seed=k)[1]["rig"].links[0].mass_kg for k in range(12)}
    assert rigs == {0.7, 2.0}
    runs = []
    for _ in range(2):
        first, _ = env.reset(seed=3)
        runs.append([first, *(env.step(np.full(1, 0.3))[0] for _ in range(10))])
    np.testing.assert_array_equal(runs[0], runs[1])
    env.close()


def test_a_spread_multiplies_each_value_by_its_own_factor() -> None:
    draw = SpreadRigs(DOUBLE, 0.5)
    drawn = [draw(np.random.default_rng(k)).links for k in range(300)]
    factors = np.array([[link.mass_kg / LINKS[k].mass_kg for k, link in enumerate(links)] for links in drawn])
    assert factors.min() > 1 / 1.5
    assert factors.max() < 1.5
    assert np.log(factors).mean() == pytest.approx(0.0, abs=0.04)
    assert abs(np.corrcoef(factors.T)[0, 1]) < 0.2
    assert {links[0].length_m for links in drawn} == {0.2}
    env = make_environment("SimplePendulum-v0", randomization="spread:0.5")
    masses = {env.reset(seed=k)[1]["rig"].links[0].mass_kg for k in range(3)}
    assert len(masses) == 3
    # A schedule can let the spread grow.
    env.get_wrapper_attr("set_strength")(0.0)
    rig = env.reset(seed=0)[1]["rig"]
    assert rig.links[0].mass_kg == pytest.approx(load_pendulum("simple_pendulum").links[0].mass_kg)
    env.close()
    with pytest.raises(InputError, match="strength is of pendulums that are drawn from a spread"):
        PendulumEnv().set_strength(0.5)
    with pytest.raises(InputError, match="randomization of a pendulum must be spread:NUMBER"):
        make_environment("SimplePendulum-v0", randomization="wide")


def test_bad_input_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rig must be a TOML file or one of double_pendulum, simple_pendulum, got 'x'"):
        PendulumEnv("x")
    link = "length_m = -1.0\nmass_kg = 1.0\ncentre_m = 0.1\ninertia_kg_m2 = 0.1\n"
    (tmp_path / "p.toml").write_text(f'name = "p"\ndescription = "d"\n[[links]]\n{link}')
    with pytest.raises(InputError, match="length_m must be above 0, got -1"):
        load_pendulum(str(tmp_path / "p.toml"))
    env = PendulumEnv()
    with pytest.raises(InputError, match="action must be 1 finite numbers"):
        env.step(np.zeros(2))
    with pytest.raises(InputError, match="positions must be 1 finite numbers"):
        env.reset(options={"positions": [0.0, 1.0]})
    with pytest.raises(InputError, match="control_hz must make a whole number"):
        PendulumEnv(control_hz=30.7)
    env.close()
    assert pendulum_names() == ["double_pendulum", "simple_pendulum"]
    assert TIMESTEP_S == 0.001
