import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.kinematics import nominal_world
from calibration.physics import (
    ActuationParams,
    ContactParams,
    FrameParams,
    GravityParams,
    MassParams,
    MotorParams,
    ObservationParams,
    PushParams,
)
from calibration.world import WorldParams, with_values
from envs.arm.channels import Channels, _turned_between
from envs.arm.env import ArmEnv
from envs.arm.readings import Readings
from sim2real.environments import make_environment

DT, PERIOD = 0.004, 0.04
FAR = (0.45, 0.25)


@pytest.fixture(scope="module")
def push() -> Iterator[ArmEnv]:
    env = ArmEnv(task="Push")
    yield env
    env.close()


def placed(env: ArmEnv, z_m: float, changes: dict[str, Any]) -> None:
    """Begin an episode with the cube away from the arm, its bottom at a height."""
    world = with_values(env.task.nominal_world(), changes)
    env.reset(seed=0, options={"world": world})
    number = env.physics.bodies["cube"]
    half = env.rig.body("cube").half_extents_m()[2]
    place = (*FAR, env.task.region.table_z_m + half + z_m)
    env.physics.pybullet.resetBasePositionAndOrientation(
        number, place, (0, 0, 0, 1), physicsClientId=env.physics.client
    )
    env.physics.pybullet.resetBaseVelocity(number, (0, 0, 0), (0, 0, 0), physicsClientId=env.physics.client)


def cube(env: ArmEnv) -> tuple[Any, Any]:
    poses, velocities = env.physics.read_bodies()
    return poses[0], velocities[0]


def test_readings_between_two_turn_at_an_even_speed_the_shorter_way() -> None:
    rng = np.random.default_rng(0)
    for angle in (1e-12, 1e-5, 0.3, 3.0):
        start = Rotation.from_rotvec(rng.standard_normal(3))
        turn = rng.standard_normal(3)
        turn *= angle / np.linalg.norm(turn)
        ends = start.as_quat(), (Rotation.from_rotvec(turn) * start).as_quat()
        for share in (0.0, 0.25, 1.0):
            expected = (Rotation.from_rotvec(share * turn) * start).as_quat()
            for sign in (1.0, -1.0):
                found = _turned_between(ends[0], sign * ends[1], share)
                assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-12)
                assert abs(found @ expected) == pytest.approx(1.0, abs=1e-12)


UNDAMPED = {"masses.cube.linear_damping": 0.0, "masses.cube.angular_damping": 0.0}


def test_a_free_fall_has_the_gravity_of_the_world(push: ArmEnv) -> None:
    for magnitude in (9.81, 1.62):
        placed(push, 0.5, UNDAMPED | {"gravity.magnitude_m_s2": magnitude})
        start = cube(push)[0][2]
        push.physics.step(40)
        # Semi-implicit Euler: g dt^2 n (n + 1) / 2.
        assert start - cube(push)[0][2] == pytest.approx(magnitude * DT**2 * 40 * 41 / 2, rel=1e-3)


@pytest.mark.parametrize(("friction", "slides"), [(0.1, True), (0.5, False)])
def test_a_cube_slides_down_a_tilted_table_as_coulomb_says(push: ArmEnv, friction: float, slides: bool) -> None:
    tilt = 0.2
    changes = {"contacts.cube.friction": friction, "contacts.table.friction": 1.0, "gravity.tilt_rad": (0.0, tilt)}
    placed(push, 0.0, UNDAMPED | changes)
    push.physics.step(100)
    moved = FAR[0] - cube(push)[0][0]
    expected = 0.5 * 9.81 * (np.sin(tilt) - friction * np.cos(tilt)) * (100 * DT) ** 2 if slides else 0.0
    assert moved == pytest.approx(expected, rel=0.03, abs=1e-3)


def test_a_cube_bounces_as_high_as_restitution_says(push: ArmEnv) -> None:
    heights = {}
    for e in (0.0, 0.8):
        placed(push, 0.2, UNDAMPED | {"contacts.cube.restitution": e, "contacts.table.restitution": 1.0})
        rest = cube(push)[0][2] - 0.2
        push.physics.step(55)
        above = []
        for _ in range(60):
            push.physics.step(1)
            above.append(cube(push)[0][2] - rest)
        heights[e] = max(above)
    assert heights[0.0] < 0.005
    assert heights[0.8] == pytest.approx(0.8**2 * 0.2, rel=0.1)


def test_an_impulse_moves_a_mass(push: ArmEnv) -> None:
    mass = push.rig.body("cube").mass_kg
    for scale in (1.0, 3.0, 1.0):
        placed(push, 0.5, UNDAMPED | {"masses.cube.mass_scale": scale})
        push.physics.step(1, {"cube": np.array([0.05, 0.0, 0.0])})
        assert cube(push)[1][0] == pytest.approx(0.05 / (mass * scale), rel=1e-3)


def spin(env: ArmEnv, changes: dict[str, Any]) -> Any:
    """Return linear x and angular z velocity of the falling cube after an impulse and a turn, at once and later."""
    placed(env, 0.5, UNDAMPED | {"gravity.magnitude_m_s2": 0.0} | changes)
    p, number = env.physics.pybullet, env.physics.bodies["cube"]
    p.applyExternalTorque(number, -1, (0, 0, 0.01), p.WORLD_FRAME, physicsClientId=env.physics.client)
    env.physics.step(1, {"cube": np.array([0.05, 0.0, 0.0])})
    first = cube(env)[1][[0, 5]]
    env.physics.step(50)
    return first, cube(env)[1][[0, 5]]


def test_inertia_and_drag_slow_down_a_body(push: ArmEnv) -> None:
    first, later = spin(push, {})
    np.testing.assert_allclose(first, later, rtol=1e-6)
    assert spin(push, {"masses.cube.inertia_scale": 2.0})[0][1] == pytest.approx(first[1] / 2, rel=1e-3)
    for name, k in (("linear_damping", 0), ("angular_damping", 1)):
        began, ended = (v[k] for v in spin(push, {f"masses.cube.{name}": 0.9}))
        # The solution of dv/dt = -D (1 + v) v.
        assert ended / (1 + ended) == pytest.approx(began / (1 + began) * np.exp(-0.9 * 50 * DT), rel=0.01)


def reach(changes: dict[str, Any], steps: int = 10, seed: int = 0) -> list[Any]:
    """Return the true joint positions after each step of a motion forwards and back."""
    env = ArmEnv(task="Reach", control="joint_displacement")
    env.reset(seed=seed, options={"world": with_values(env.task.nominal_world(), changes)})
    found = [env.readings.joint_positions[:7]]
    for k in range(steps):
        env.step(np.full(7, 0.5 if k < steps // 2 else -0.5))
        found.append(env.readings.joint_positions[:7])
    env.close()
    return found


def every(field: str, value: Any) -> dict[str, Any]:
    return {f"motors.panda_joint{k}.{field}": value for k in range(1, 8)}


def test_motors_of_less_gain_lag_and_of_little_torque_sag() -> None:
    nominal = reach({})
    slow, weak = reach(every("gain_scale", 0.3)), reach(every("torque_scale", 0.05))
    ahead = nominal[1] - nominal[0]
    assert (0.15 * ahead < slow[1] - slow[0]).all()
    assert (slow[1] - slow[0] < 0.75 * ahead).all()
    # The second joint holds the whole arm against gravity.
    assert weak[5][1] > nominal[5][1] + 0.1 or abs(weak[5][1] - nominal[5][1]) > 0.1
    stiff = reach(every("damping_scale", 0.2))
    assert not np.allclose(stiff[3], nominal[3], atol=1e-4)


def test_a_heavier_arm_and_damped_joints_move_otherwise() -> None:
    nominal = reach({})
    assert not np.array_equal(reach({"masses.robot.mass_scale": 4.0})[4], nominal[4])
    assert not np.array_equal(reach({"masses.robot.inertia_scale": 4.0})[4], nominal[4])
    assert not np.array_equal(reach(every("joint_damping", 5.0))[4], nominal[4])


@pytest.mark.parametrize("name", ["PandaPush-v0", "XArmPush-v0"])
def test_much_viscous_friction_slows_joints_and_never_speeds_them_up(name: str) -> None:
    # The light links of the second arm's gripper take 4e-5 kg m2: explicit friction of 0.5 had let them spin.
    env = make_environment(name)
    inner, rng = env.unwrapped, np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (40, inner.controller.size))
    fastest = []
    for damping in (0.0, 0.5, 20.0):
        nominal = inner.task.nominal_world()
        changes = {f"motors.{m.name}.joint_damping": damping for m in nominal.motors}
        env.reset(seed=1, options={"world": with_values(nominal, changes)})
        fastest.append(0.0)
        for action in actions:
            env.step(action)
            fastest[-1] = max(fastest[-1], float(np.abs(inner.readings.joint_velocities).max()))
    env.close()
    assert fastest[1] < 1.05 * fastest[0]
    assert fastest[2] < fastest[0]


def test_an_encoder_that_is_off_puts_the_joint_off() -> None:
    env = ArmEnv(task="Reach", control="joint_displacement")
    changes = {"motors.panda_joint4.offset_rad": 0.02}
    env.reset(seed=0, options={"world": with_values(env.task.nominal_world(), changes)})
    began = env.readings.joint_positions[3]
    assert env.channels.seen.joint_positions[3] - began == pytest.approx(0.02)
    for _ in range(5):
        env.step(np.zeros(7))
    # It is held where the encoder says that it is, so nothing moves.
    assert env.readings.joint_positions[3] == pytest.approx(began, abs=2e-3)
    env.close()


def channels(world: WorldParams | None = None, seed: int = 0, **groups: Any) -> Channels:
    made = Channels(["a", "b"], ["cube"], PERIOD, DT)
    world = dataclasses.replace(world or WorldParams(), **groups)
    made.begin(world, np.random.default_rng(seed), np.zeros(2))
    return made


def test_commands_come_after_the_delay_to_the_step() -> None:
    made = channels(actuation=ActuationParams(delay_s=0.052))
    found: list[float] = []
    for k in range(1, 5):
        for command, steps in made.commands(np.full(2, float(k)), 10):
            found += [command[0]] * steps
    # 13 steps late.
    assert found == [0.0] * 13 + [1.0] * 10 + [2.0] * 10 + [3.0] * 7


def test_play_is_passed_before_the_joint_turns_back() -> None:
    made = channels(motors=(MotorParams("a", backlash_rad=0.1), MotorParams("b", dead_band_rad=0.03)))
    got = [made.commands(np.array(t), 1)[0][0].tolist() for t in ([0.5, 0.02], [0.45, 0.05], [0.3, 0.06], [0.4, 0.3])]
    np.testing.assert_allclose([g[0] for g in got], [0.45, 0.45, 0.35, 0.35])
    np.testing.assert_allclose([g[1] for g in got], [0.0, 0.05, 0.05, 0.3])


def test_actions_are_noisy_and_lost_as_often_as_said() -> None:
    made = channels(actuation=ActuationParams(noise=0.1, hold_probability=0.25))
    done = np.array([made.action(np.array([0.1 * (k % 2)]))[0] for k in range(4000)])
    lost = np.mean(done[1:] == done[:-1])
    assert lost == pytest.approx(0.25, abs=0.03)
    fresh = done[1:][(done[1:] != done[:-1])]
    assert fresh.std() == pytest.approx(np.hypot(0.1, 0.05), rel=0.05)


def moment(k: float) -> Readings:
    pose = np.array([[k, 0.0, 0.0, 0.0, 0.0, np.sin(k / 20), np.cos(k / 20)]])
    return Readings(np.full(2, k), np.full(2, 10.0 * k), pose, np.full((1, 6), k))


def seen(made: Channels, steps: int, what: str = "seen") -> list[float]:
    """Return what is seen of readings that say the number of the step, at each step."""
    found = []
    for k in range(steps):
        made.see(moment(float(k)))
        found.append(float(getattr(made, what).joint_positions[0]))
        made.commands(np.zeros(2), 10)
    return found


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5, 6]),
        ({"delay_s": 0.08}, [0, 0, 0, 1, 2, 3, 4]),
        ({"delay_s": 0.06}, [0, 0, 0.5, 1.5, 2.5, 3.5, 4.5]),
        ({"period_s": 0.12}, [0, 0, 0, 3, 3, 3, 6]),
        ({"period_s": 0.1}, [0, 0, 0, 2.5, 2.5, 5, 5]),
        ({"period_s": 0.08, "delay_s": 0.04}, [0, 0, 0, 2, 2, 4, 4]),
    ],
)
def test_readings_come_late_and_in_their_own_time(params: Any, expected: list[float]) -> None:
    np.testing.assert_allclose(seen(channels(observation=ObservationParams(**params)), 7), expected, atol=1e-9)
    np.testing.assert_allclose(seen(channels(frames=FrameParams(**params)), 7, "pictured"), expected, atol=1e-9)
    assert seen(channels(frames=FrameParams(**params)), 7) == list(range(7))


def test_between_two_readings_an_object_turns_evenly() -> None:
    made = channels(observation=ObservationParams(delay_s=0.02))
    for k in range(3):
        made.see(moment(float(k)))
        made.commands(np.zeros(2), 10)
    quat = made.seen.body_poses[0, 3:]
    assert 2 * np.arctan2(quat[2], quat[3]) == pytest.approx(2 * 1.5 / 20)


def test_lost_readings_leave_the_one_before() -> None:
    found = np.array(seen(channels(observation=ObservationParams(drop_probability=0.3)), 3000))
    assert np.mean(np.diff(found) == 0) == pytest.approx(0.3, abs=0.03)


def test_noise_has_the_spread_that_is_said_and_stays_with_its_reading() -> None:
    params = ObservationParams(0.0, 0.08, 0.0, 0.01, 0.2, 0.005, 0.03, (0.1, 0.0, 0.0))
    made, still = channels(observation=params), moment(0.0)
    rows = []
    for _ in range(4000):
        made.see(still)
        s = made.seen
        rows.append([*s.joint_positions, *s.joint_velocities, *s.body_poses[0, :3], 2 * s.body_poses[0, 3]])
        made.commands(np.zeros(2), 10)
    table = np.array(rows)
    np.testing.assert_array_equal(table[0::2], table[1::2])
    np.testing.assert_allclose(table.std(axis=0), [0.01, 0.01, 0.2, 0.2, 0.005, 0.005, 0.005, 0.03], rtol=0.06)
    np.testing.assert_allclose(table[:, 4:7].mean(axis=0), [0.1, 0.0, 0.0], atol=5e-4)


def test_pushes_come_as_often_and_as_hard_as_said() -> None:
    made = channels(pushes=PushParams(rate_hz=2.0, impulse_n_s=0.3))
    found = [made.pushes() for _ in range(5000)]
    hits = [f["cube"] for f in found if f]
    assert len(hits) / 5000 == pytest.approx(2.0 * PERIOD, rel=0.15)
    np.testing.assert_allclose(np.linalg.norm(hits, axis=1), 0.3)
    assert np.abs(np.mean(hits, axis=0)).max() < 0.05
    assert np.all(np.array(hits)[:, 2] == 0.0)


def run(env: Any, seed: int, world: WorldParams | None = None) -> list[Any]:
    rng = np.random.default_rng(0)
    found = [env.reset(seed=seed, options=None if world is None else {"world": world})[0]]
    for _ in range(30):
        found.append(env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))[0])
    return found


def equal(one: list[Any], two: list[Any]) -> bool:
    return all(np.array_equal(a[k], b[k]) for a, b in zip(one, two, strict=True) for k in a)


def test_neutral_channels_change_nothing_to_the_bit(push: ArmEnv) -> None:
    bare = nominal_world(push.rig)
    assert bare.contacts == ()
    assert equal(run(push, 3), run(push, 3, bare))


def test_an_episode_with_every_channel_repeats_from_its_seed_and_world() -> None:
    env = make_environment("PandaPush-v0", randomization="dynamics").unwrapped
    nominal = env.task.nominal_world()
    one = run(env, 4)
    world = env.world
    run(env, 5)
    other = make_environment("PandaPush-v0").unwrapped
    assert not equal(one, run(other, 4))
    assert equal(one, run(env, 4))
    assert equal(one, run(other, 4, world))
    assert equal(run(other, 4, nominal), run(other, 4))
    env.close()
    other.close()


def test_success_is_the_truth_while_the_observation_is_not(push: ArmEnv) -> None:
    world = with_values(push.task.nominal_world(), {"observation.object_bias_m": (0.2, 0.0, 0.0)})
    first, _ = push.reset(seed=0, options={"world": world})
    np.testing.assert_allclose(first["achieved_goal"] - push.achieved_goal(), [0.2, 0.0, 0.0], atol=1e-6)
    goal = push.achieved_goal()
    _, info = push.reset(seed=0, options={"world": world, "goal": goal})
    assert info["is_success"]
    assert push.reward() == 0.0


def test_a_picture_shows_a_moment_before() -> None:
    env = ArmEnv(task="Reach", observation="both", image_size_px=(48, 48))
    world = with_values(env.task.nominal_world(), {"frames.delay_s": 0.08})
    pictures = {}
    for name, given in (("now", None), ("late", world)):
        env.reset(seed=0, options=None if given is None else {"world": given})
        pictures[name] = [env.step(np.array([0.0, 1.0, 0.0]))[0]["image_main"] for _ in range(6)]
    assert not np.array_equal(pictures["now"][3], pictures["now"][5])
    np.testing.assert_array_equal(pictures["late"][5], pictures["now"][3])
    env.close()


def test_each_physical_value_is_one_that_can_vary() -> None:
    env = ArmEnv(task="Push")
    world = env.task.nominal_world()
    assert {c.name for c in world.contacts} == {"robot", "cube", "table"}
    assert world.masses == (MassParams("robot"), MassParams("cube"))
    assert len(world.motors) == 9
    assert world.gravity == GravityParams()
    assert isinstance(world.contacts[0], ContactParams)
    env.close()
