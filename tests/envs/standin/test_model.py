import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.errors import InputError
from calibration.kinematics import urdf_path
from calibration.rig import Rig
from calibration.rig_file import load_rig, parse_rig
from envs.arm.settings import PhysicsSettings
from envs.simulation import Simulation
from envs.standin.arm_data import read_arm
from envs.standin.collision import urdf_collisions
from envs.standin.mujoco_import import import_mujoco
from envs.standin.physics import MujocoWorld
from envs.tasks import make_task


@pytest.fixture(scope="module")
def rig_of(request: pytest.FixtureRequest) -> Callable[[str], Rig]:
    def get(name: str) -> Rig:
        if name != "so101":
            return load_rig(name)
        folder = request.getfixturevalue("robots") / "so101"
        return parse_rig((Path(__file__).parents[1] / "arm" / "so101.toml").read_text(), "so101.toml", folder)

    return get


@pytest.mark.parametrize("name", ["panda_tabletop", "kuka_tabletop", pytest.param("so101", marks=pytest.mark.slow)])
def test_links_are_where_pybullet_has_them(name: str, rig_of: Callable[[str], Rig]) -> None:
    rig = rig_of(name)
    assert rig.robot is not None
    task = make_task("Push", rig)
    world = MujocoWorld(task.rig, PhysicsSettings(), task.objects)
    rng = np.random.default_rng(0)
    low, high = (np.array([getattr(m, end) for m in world.motors.values()]) for end in ("low", "high"))
    with Simulation() as simulation:
        p, client = simulation.pybullet, simulation.client
        base = Rotation.from_euler("xyz", rig.robot.rpy_rad).as_quat().tolist()
        robot = p.loadURDF(str(urdf_path(rig)), rig.robot.position_m, base, useFixedBase=True, physicsClientId=client)
        info = [p.getJointInfo(robot, k, physicsClientId=client) for k in range(p.getNumJoints(robot, client))]
        for _ in range(10):
            positions = rng.uniform(low, high)
            world.place(task.nominal_world(), positions)
            for joint in info:
                if joint[1].decode() in world.joints:
                    index = world.joints.index(joint[1].decode())
                    p.resetJointState(robot, joint[0], positions[index], physicsClientId=client)
            for joint in info:
                state = p.getLinkState(robot, joint[0], computeForwardKinematics=True, physicsClientId=client)
                body = world.data.body(joint[12].decode())
                np.testing.assert_allclose(body.xpos, state[4], atol=1e-6)
                turn = Rotation.from_quat(state[5]).as_matrix()
                np.testing.assert_allclose(body.xmat.reshape(3, 3), turn, atol=1e-6)


def test_joints_motors_and_masses_are_those_of_the_source_simulation() -> None:
    task = make_task("PickAndPlace", load_rig("panda_tabletop"))
    world, arm = MujocoWorld(task.rig, PhysicsSettings(), task.objects), read_arm(task.rig, PhysicsSettings())
    assert world.joints == tuple(arm.motors)
    for name, limits in arm.motors.items():
        joint = world.model.joint(name)
        assert tuple(joint.range) == (limits.low, limits.high)
        body = world.model.body(int(joint.bodyid[0]))
        assert float(body.mass[0]) == arm.inertias[name].mass_kg
        # In its own axes, which MuJoCo sorts.
        np.testing.assert_allclose(np.sort(body.inertia), np.sort(arm.inertias[name].diagonal_kg_m2), rtol=1e-9)
    assert float(world.model.body("cube").mass[0]) == task.rig.body("cube").mass_kg


def test_what_touches_is_what_touches_in_the_source_simulation() -> None:
    task = make_task("Stack", load_rig("panda_tabletop"))
    world = MujocoWorld(task.rig, PhysicsSettings(), task.objects)
    m = world.model
    bodies = [m.body(int(b)).name for b in m.geom_bodyid]
    pairs = {frozenset((bodies[a], bodies[b])) for a, b in zip(m.pair_geom1, m.pair_geom2, strict=True)}
    first, second = task.objects
    assert {frozenset((first, second)), frozenset((first, "table")), frozenset(("panda_leftfinger", second))} <= pairs
    assert frozenset(("panda_link5", "table")) in pairs
    assert frozenset(("panda_link0", "table")) not in pairs
    assert not any(all(name.startswith("panda") for name in pair) for pair in pairs)


def test_collisions_are_hulls_of_meshes_and_primitives(tmp_path: Path) -> None:
    (tmp_path / "dent.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nv 0.1 0.1 0.1\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 5\nf 3 4 5\nf 4 2 5\n"
    )
    urdf = tmp_path / "arm.urdf"
    shape = '<link name="{}"><collision><origin xyz="0 0 1"/><geometry>{}</geometry></collision></link>'
    shapes = {
        "dent": '<mesh filename="dent.obj" scale="2 2 2"/>',
        "brick": '<box size="1 2 3"/>',
        "rod": '<cylinder radius="0.1" length="2"/>',
    }
    urdf.write_text("<robot>" + "".join(shape.format(n, g) for n, g in shapes.items()) + "</robot>")
    dent, brick, rod = urdf_collisions(urdf)
    assert sorted(map(tuple, dent.points_m.tolist())) == [(0, 0, 0), (0, 0, 2), (0, 2, 0), (2, 0, 0)]
    assert (brick.kind, brick.size, rod.kind, rod.size) == ("box", (0.5, 1.0, 1.5), "cylinder", (0.1, 1.0))
    assert brick.link_from_shape[2, 3] == 1.0
    urdf.write_text('<robot><link name="x"><collision><geometry><cone/></geometry></collision></link></robot>')
    with pytest.raises(InputError, match="link 'x' has a collision that is not understood"):
        urdf_collisions(urdf)


def test_missing_mujoco_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "mujoco"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs MuJoCo, which is not there: pip install mujoco"):
        import_mujoco()
