from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from calibration.rig_file import load_rig
from calibration.world import with_values
from envs.arm.physics import PhysicsWorld
from envs.arm.settings import PhysicsSettings
from envs.standin.physics import MujocoWorld
from envs.tasks import make_task

TASK = make_task("Push", load_rig("panda_tabletop"))
SETTINGS = PhysicsSettings()
DT = SETTINGS.timestep_s
UNDAMPED = {"masses.cube.linear_damping": 0.0, "masses.cube.angular_damping": 0.0}
START = TASK.nominal_world().joint_positions() | dict(TASK.rig.robot.start)  # type: ignore[union-attr]
# Away from the arm.
FAR = (0.45, 0.25)


@pytest.fixture(scope="module")
def mujoco_world() -> MujocoWorld:
    return MujocoWorld(TASK.rig, SETTINGS, TASK.objects)


@pytest.fixture(scope="module")
def bullet_world() -> Iterator[PhysicsWorld]:
    world = PhysicsWorld(TASK.rig, SETTINGS, TASK.objects)
    yield world
    world.close()


def home(world: MujocoWorld | PhysicsWorld) -> Any:
    return np.array([START[name] for name in world.joints])


def placed(world: MujocoWorld, height_m: float, changes: dict[str, Any]) -> None:
    """Put the cube away from the arm, its bottom at a height."""
    half = TASK.rig.body("cube").half_extents_m()[2]
    changes = {"bodies.cube.position_m": (*FAR, TASK.region.table_z_m + half + height_m), **changes}
    world.place(with_values(TASK.nominal_world(), changes), home(world))


def thrown(world: MujocoWorld, velocity: Any) -> None:
    dof = int(world.model.joint("cube").dofadr[0])
    world.data.qvel[dof : dof + len(velocity)] = velocity


def cube(world: MujocoWorld) -> tuple[Any, Any]:
    poses, velocities = world.read_bodies()
    return poses[0], velocities[0]


def response(world: MujocoWorld | PhysicsWorld, joint: int, step: float, steps: int) -> Any:
    world.place(TASK.nominal_world(), home(world))
    targets = home(world)
    targets[joint] += step
    world.set_targets(targets)
    found = []
    for _ in range(steps):
        world.step(1)
        found.append(world.read_joints()[0] - home(world))
    return np.array(found) / step


@pytest.mark.parametrize("joint", range(7))
@pytest.mark.parametrize("step", [0.02, 0.05])
def test_joints_answer_as_in_the_source_simulation(
    mujoco_world: MujocoWorld, bullet_world: PhysicsWorld, joint: int, step: float
) -> None:
    # A fifth of a second. Steps below 0.02 end at PyBullet's own residual of 1 mrad; 0.05 takes motors to their force.
    ours, theirs = (response(w, joint, step, 50) for w in (mujoco_world, bullet_world))
    assert np.abs(ours[:, joint] - theirs[:, joint]).max() < 0.15
    assert ours[-1, joint] == pytest.approx(1.0, abs=0.01)
    # PyBullet's slowest joint is half way after 5 to 6 steps; a servo of another rate would be off by more than one.
    half = [int(np.argmax(r[:, joint] > 0.5)) for r in (ours, theirs)]
    assert abs(half[0] - half[1]) <= 1
    assert np.abs(np.delete(ours, joint, axis=1)).max() < 0.2


def test_an_arm_at_rest_stays_where_it_is_held(mujoco_world: MujocoWorld) -> None:
    mujoco_world.place(TASK.nominal_world(), home(mujoco_world))
    mujoco_world.step(250)
    positions, velocities = mujoco_world.read_joints()
    np.testing.assert_allclose(positions, home(mujoco_world), atol=1e-6)
    np.testing.assert_allclose(velocities, 0.0, atol=1e-6)


@pytest.mark.parametrize(("name", "value"), [("gain_scale", 0.5), ("damping_scale", 2.0)])
def test_gains_change_how_fast_a_joint_goes(mujoco_world: MujocoWorld, name: str, value: float) -> None:
    ways = []
    for factor in (1.0, value):
        changes = {f"motors.{joint}.{name}": factor for joint in mujoco_world.joints}
        mujoco_world.place(with_values(TASK.nominal_world(), changes), home(mujoco_world))
        targets = home(mujoco_world)
        targets[6] += 0.01
        mujoco_world.set_targets(targets)
        mujoco_world.step(10)
        ways.append((mujoco_world.read_joints()[0] - home(mujoco_world))[6] / 0.01)
    # First order: 1 - exp(-rate t) at half the rate.
    assert ways[0] == pytest.approx(1 - np.exp(-50 * 10 * DT), abs=0.07)
    assert ways[1] == pytest.approx(1 - np.exp(-25 * 10 * DT), abs=0.07)


def test_a_free_fall_has_the_gravity_of_the_world(mujoco_world: MujocoWorld) -> None:
    for magnitude in (9.81, 1.62):
        placed(mujoco_world, 0.5, UNDAMPED | {"gravity.magnitude_m_s2": magnitude})
        start = cube(mujoco_world)[0][2]
        mujoco_world.step(40)
        # Semi-implicit Euler with n steps of h: g h^2 n (n + 1) / 2.
        expected = magnitude * (DT / 2) ** 2 * 80 * 81 / 2
        assert start - cube(mujoco_world)[0][2] == pytest.approx(expected, rel=1e-6)
        assert cube(mujoco_world)[1][2] == pytest.approx(-magnitude * 40 * DT, rel=1e-6)


def test_friction_brakes_a_cube_by_coulombs_law(mujoco_world: MujocoWorld) -> None:
    for cube_friction, table_friction in ((0.3, 1.0), (0.5, 0.4)):
        friction = {"contacts.cube.friction": cube_friction, "contacts.table.friction": table_friction}
        placed(mujoco_world, 0.0, UNDAMPED | friction)
        mujoco_world.step(50)
        start = cube(mujoco_world)[0]
        thrown(mujoco_world, (0.0, 0.5, 0.0))
        mujoco_world.step(250)
        way = float(np.linalg.norm((cube(mujoco_world)[0] - start)[:2]))
        # Contacts have the product of both coefficients, as in Bullet.
        assert way == pytest.approx(0.5**2 / (2 * cube_friction * table_friction * 9.81), rel=0.03)


@pytest.mark.parametrize(("friction", "slides"), [(0.1, True), (0.5, False)])
def test_a_cube_slides_down_a_tilted_table_as_coulomb_says(
    mujoco_world: MujocoWorld, friction: float, slides: bool
) -> None:
    tilt = 0.2
    changes = {"contacts.cube.friction": friction, "contacts.table.friction": 1.0, "gravity.tilt_rad": (0.0, tilt)}
    placed(mujoco_world, 0.0, UNDAMPED | changes)
    mujoco_world.step(100)
    moved = FAR[0] - cube(mujoco_world)[0][0]
    expected = 0.5 * 9.81 * (np.sin(tilt) - friction * np.cos(tilt)) * (100 * DT) ** 2 if slides else 0.0
    assert moved == pytest.approx(expected, rel=0.03, abs=5e-3)


def test_an_impulse_moves_a_mass_and_turns_nothing(mujoco_world: MujocoWorld) -> None:
    mass = TASK.rig.body("cube").mass_kg
    for scale in (1.0, 3.0, 1.0):
        placed(mujoco_world, 0.5, UNDAMPED | {"masses.cube.mass_scale": scale})
        mujoco_world.step(1, {"cube": np.array([0.05, 0.0, 0.0])})
        velocity = cube(mujoco_world)[1]
        assert velocity[0] == pytest.approx(0.05 / (mass * scale), rel=1e-6)
        np.testing.assert_allclose(velocity[3:], 0.0, atol=1e-9)
        mujoco_world.step(1)
        assert cube(mujoco_world)[1][0] == pytest.approx(velocity[0], rel=1e-6)


def test_air_slows_down_a_body_as_in_the_source_simulation(mujoco_world: MujocoWorld) -> None:
    for name, start, k in (("linear_damping", (1.0, 0, 0, 0, 0, 0), 0), ("angular_damping", (0, 0, 0, 0, 0, 0.2), 5)):
        changes = {f"masses.cube.{name}": 0.9, "gravity.magnitude_m_s2": 0.0}
        placed(mujoco_world, 0.5, UNDAMPED | changes)
        thrown(mujoco_world, start)
        mujoco_world.step(50)
        began, ended = start[k], cube(mujoco_world)[1][k]
        # dv/dt = -D (1 + v) v; of a turn MuJoCo has the first part only.
        expected = began / (1 + began) * np.exp(-0.9 * 50 * DT) if k == 0 else began * np.exp(-0.9 * 50 * DT)
        assert (ended / (1 + ended) if k == 0 else ended) == pytest.approx(expected, rel=0.01)


def test_sizes_of_the_world_are_those_of_the_bodies(mujoco_world: MujocoWorld) -> None:
    for scale in (1.4, 0.7):
        half = TASK.rig.body("cube").half_extents_m()[2] * scale
        changes = {"bodies.cube.size_scale": scale, "bodies.cube.position_m": (*FAR, 0.1)}
        mujoco_world.place(with_values(TASK.nominal_world(), changes), home(mujoco_world))
        mujoco_world.step(250)
        assert cube(mujoco_world)[0][2] == pytest.approx(TASK.region.table_z_m + half, abs=5e-4)
        # A solid cube: m s^2 / 6.
        inertia = float(TASK.rig.body("cube").mass_kg * (2 * half) ** 2 / 6)
        np.testing.assert_allclose(mujoco_world.model.body("cube").inertia, inertia, rtol=1e-9)


def test_a_body_that_is_not_there_is_not_touched(mujoco_world: MujocoWorld) -> None:
    placed(mujoco_world, 0.05, {"bodies.table.present": False})
    mujoco_world.step(100)
    assert cube(mujoco_world)[0][2] < TASK.region.table_z_m - 0.1


def test_velocities_are_in_the_world(mujoco_world: MujocoWorld) -> None:
    placed(mujoco_world, 0.5, UNDAMPED | {"gravity.magnitude_m_s2": 0.0, "bodies.cube.rpy_rad": (0.0, 0.0, np.pi / 2)})
    # About the body's x axis, which is the world's y.
    thrown(mujoco_world, (0.1, 0.0, 0.0, 1.0, 0.0, 0.0))
    np.testing.assert_allclose(cube(mujoco_world)[1], [0.1, 0.0, 0.0, 0.0, 1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(cube(mujoco_world)[0][3:], [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-9)


def test_a_saved_state_has_the_same_future(mujoco_world: MujocoWorld) -> None:
    placed(mujoco_world, 0.05, {})
    mujoco_world.step(5)
    mujoco_world.set_targets(home(mujoco_world) + 0.02)
    number, futures = mujoco_world.save(), []
    for _ in range(2):
        mujoco_world.step(30)
        futures.append(np.concatenate([*mujoco_world.read_joints(), cube(mujoco_world)[0]]))
        mujoco_world.restore(number)
    np.testing.assert_array_equal(*futures)
    mujoco_world.forget(number)
