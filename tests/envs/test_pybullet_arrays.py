import math
import timeit
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from calibration.errors import InputError
from calibration.kinematics import matrix_of
from envs.meshes.distance import distances_to_surface
from envs.rendering.pybullet_arrays import ClientShapes
from envs.simulation import Simulation

NEAR, FAR = 0.1, 8.0
SIZE = 96

OFFSET = """\
<robot name="offset">
  <link name="base">
    <inertial><origin xyz="0.3 -0.2 0.1" rpy="0.4 0.3 -0.8"/><mass value="1"/>
      <inertia ixx="1" ixy="0" ixz="0" iyy="2" iyz="0" izz="3"/></inertial>
    <visual><origin xyz="0.1 0.2 0.1" rpy="0.2 0.5 0.9"/><geometry><box size="0.5 0.3 0.2"/></geometry>
      <material name="red"><color rgba="1 0.25 0 1"/></material></visual>
  </link>
  <link name="arm">
    <inertial><origin xyz="-0.1 0.25 0.3" rpy="-0.7 0.2 0.6"/><mass value="1"/>
      <inertia ixx="1" ixy="0" ixz="0" iyy="2" iyz="0" izz="3"/></inertial>
    <visual><origin xyz="0 0.1 0.4" rpy="0.6 0.1 0.3"/>
      <geometry><cylinder radius="0.1" length="0.6"/></geometry></visual>
    <visual><origin xyz="0 0.4 0.4" rpy="0.9 0.4 -0.3"/>
      <geometry><capsule radius="0.08" length="0.3"/></geometry></visual>
    <visual><origin xyz="0.3 0 0.3"/><geometry><sphere radius="0.13"/></geometry></visual>
  </link>
  <joint name="turn" type="revolute"><parent link="base"/><child link="arm"/><origin xyz="0.1 0.3 0.4" rpy="0.3 0 0.5"/>
    <axis xyz="0 1 0"/><limit lower="-3" upper="3" effort="1" velocity="1"/></joint>
</robot>
"""


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with Simulation() as one:
        data = __import__("pybullet_data").getDataPath()
        one.pybullet.setAdditionalSearchPath(data, physicsClientId=one.client)
        yield one


def seen_points(simulation: Simulation, eye: tuple[float, float, float], target: tuple[float, float, float]) -> Any:
    """Return the points (N, 3) that TinyRenderer sees."""
    p, client = simulation.pybullet, simulation.client
    view = p.computeViewMatrix(eye, target, (0, 0, 1))
    projection = p.computeProjectionMatrixFOV(60, 1.0, NEAR, FAR)
    picture = p.getCameraImage(SIZE, SIZE, view, projection, renderer=p.ER_TINY_RENDERER, physicsClientId=client)
    depth, bodies = np.reshape(picture[3], (SIZE, SIZE)), np.reshape(picture[4], (SIZE, SIZE))
    row, column = np.nonzero(bodies >= 0)
    # TinyRenderer samples pixels at their lower left corner.
    clip = np.stack([2 * column / SIZE - 1, 1 - 2 * (row + 1) / SIZE, 2 * depth[row, column] - 1, np.ones(len(row))])
    world_from_clip = np.linalg.inv(np.reshape(projection, (4, 4)).T @ np.reshape(view, (4, 4)).T)
    points = world_from_clip @ clip
    return (points[:3] / points[3]).T


def distances_to_shapes(points: Any, shapes: ClientShapes) -> Any:
    """Return the distance (N,) of each point to the nearest shape."""
    best = np.full(len(points), np.inf)
    for k, pose in zip(shapes.shape, shapes.poses().astype(np.float64), strict=True):
        mesh = shapes.shapes[k].meshes[0]
        placed = (mesh.positions_m @ pose[:, :3].T + pose[:, 3])[mesh.triangles]
        best = np.minimum(best, distances_to_surface(points, placed, 1e-3))
    return best


def test_shapes_are_where_tiny_renderer_draws_them(simulation: Simulation, tmp_path: Path) -> None:
    p, client = simulation.pybullet, simulation.client
    (tmp_path / "offset.urdf").write_text(OFFSET)
    turn = p.getQuaternionFromEuler((0.4, -0.3, 1.1))
    body = p.loadURDF(str(tmp_path / "offset.urdf"), (0.2, -0.1, 0.3), turn, physicsClientId=client)
    shapes = ClientShapes(p, client)
    for angle in (0.0, 1.2):
        p.resetJointState(body, 0, angle, physicsClientId=client)
        points = seen_points(simulation, (2.0, 0.6, 1.6), (0.2, 0.2, 0.5))
        assert len(points) > 500
        distance = distances_to_shapes(points, shapes)
        # TinyRenderer draws round shapes with few sides; all offsets are larger than this.
        assert distance.max() < 0.03
        assert np.median(distance) < 0.001


def test_poses_follow_from_the_urdf_alone(simulation: Simulation, tmp_path: Path) -> None:
    p, client = simulation.pybullet, simulation.client
    (tmp_path / "offset.urdf").write_text(OFFSET)
    body = p.loadURDF(str(tmp_path / "offset.urdf"), useFixedBase=True, physicsClientId=client)
    where = matrix_of((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))
    inertial = matrix_of((0.3, -0.2, 0.1), (0.4, 0.3, -0.8))
    # PyBullet places the inertial frame.
    placed = where @ inertial
    turn = _quaternion(placed[:3, :3])
    p.resetBasePositionAndOrientation(body, placed[:3, 3].tolist(), turn, physicsClientId=client)
    p.resetJointState(body, 0, 0.7, physicsClientId=client)
    shapes = ClientShapes(p, client)
    arm = where @ matrix_of((0.1, 0.3, 0.4), (0.3, 0.0, 0.5)) @ matrix_of((0.0, 0.0, 0.0), (0.0, 0.7, 0.0))
    expected = [
        where @ matrix_of((0.1, 0.2, 0.1), (0.2, 0.5, 0.9)),
        arm @ matrix_of((0.0, 0.1, 0.4), (0.6, 0.1, 0.3)),
        arm @ matrix_of((0.0, 0.4, 0.4), (0.9, 0.4, -0.3)),
        arm @ matrix_of((0.3, 0.0, 0.3), (0.0, 0.0, 0.0)),
    ]
    poses = shapes.poses()
    assert poses.dtype == np.float32
    np.testing.assert_allclose(poses, np.array(expected)[:, :3], atol=2e-6)
    assert shapes.link.tolist() == [-1, 0, 0, 0]
    np.testing.assert_allclose(shapes.rgb, [[1, 0.25, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1]], atol=1e-6)


def _quaternion(rotation: Any) -> list[float]:
    w = math.sqrt(1 + np.trace(rotation)) / 2
    x, y, z = ((rotation[a, b] - rotation[b, a]) / (4 * w) for a, b in ((2, 1), (0, 2), (1, 0)))
    return [x, y, z, w]


def test_shapes_made_by_calls_are_read(simulation: Simulation) -> None:
    p, client = simulation.pybullet, simulation.client
    made = [
        p.createVisualShape(p.GEOM_BOX, halfExtents=(0.1, 0.2, 0.3), physicsClientId=client),
        p.createVisualShape(p.GEOM_CYLINDER, radius=0.1, length=0.5, physicsClientId=client),
        p.createVisualShape(p.GEOM_CAPSULE, radius=0.1, length=0.5, physicsClientId=client),
        p.createVisualShape(p.GEOM_SPHERE, radius=0.1, physicsClientId=client),
        p.createVisualShape(p.GEOM_MESH, fileName="duck.obj", meshScale=(0.1, 0.2, 0.3), physicsClientId=client),
        p.createVisualShape(p.GEOM_SPHERE, radius=0.1, rgbaColor=(1, 1, 1, 0), physicsClientId=client),
        p.createVisualShape(
            p.GEOM_MESH, vertices=[[0, 0, 0], [1, 0, 0], [0, 1, 0]], indices=[0, 1, 2], physicsClientId=client
        ),
    ]
    for k, shape in enumerate(made):
        p.createMultiBody(
            baseVisualShapeIndex=shape,
            basePosition=(k, 0, 0),
            baseInertialFramePosition=(0, 0.5, 0),
            physicsClientId=client,
        )
    shapes = ClientShapes(p, client)
    extents = [np.ptp(s.meshes[0].positions_m, axis=0) for s in shapes.shapes]
    expected = [[0.2, 0.4, 0.6], [0.2, 0.2, 0.5], [0.2, 0.2, 0.7], [0.2, 0.2, 0.2], [0.165478, 0.30807, 0.345757]]
    np.testing.assert_allclose(extents, expected, atol=1e-4)
    assert len(shapes.left_out) == 2
    assert "alpha" in shapes.left_out[0]
    # PyBullet adds the inertial offset to the position asked for.
    np.testing.assert_allclose(shapes.poses()[:, :, 3], [[k, 0, 0] for k in range(5)], atol=1e-6)
    points = seen_points(simulation, (1.5, 3.0, 3.0), (1.5, 0.0, 0.0))
    assert np.median(distances_to_shapes(points, shapes)) < 0.001


def test_plane_and_table_of_pybullet_data(simulation: Simulation) -> None:
    p, client = simulation.pybullet, simulation.client
    p.loadURDF("plane.urdf", physicsClientId=client)
    p.loadURDF("table/table.urdf", physicsClientId=client)
    shapes = ClientShapes(p, client)
    assert shapes.body.tolist() == [0, 1, 1, 1, 1, 1]
    plane = shapes.shapes[0].meshes[0]
    assert plane.parts[0].texture.endswith("checker_blue.png")
    assert float(np.ptp(plane.uvs)) == 100.0
    points = seen_points(simulation, (1.5, 1.0, 1.2), (0, 0, 0.4))[::7]
    assert np.quantile(distances_to_shapes(points, shapes), 0.99) < 2e-3


def test_poses_of_a_panda_take_less_than_a_rendering(simulation: Simulation) -> None:
    p, client = simulation.pybullet, simulation.client
    for name in ("franka_panda/panda.urdf", "table/table.urdf", "cube_small.urdf"):
        p.loadURDF(name, physicsClientId=client)
    shapes = ClientShapes(p, client)
    assert len(shapes.shape) == 17
    assert shapes.poses().shape == (17, 3, 4)
    # About 30 microseconds on an idle core.
    assert min(timeit.repeat(shapes.poses, number=50, repeat=5)) / 50 < 500e-6


def test_empty_client_has_no_instances(simulation: Simulation) -> None:
    shapes = ClientShapes(simulation.pybullet, simulation.client)
    assert shapes.shapes == []
    assert shapes.rgb.shape == (0, 3)
    assert shapes.poses().shape == (0, 3, 4)


def test_missing_mesh_file_is_an_input_error() -> None:
    data = (0, -1, 5, (1, 1, 1), b"nowhere.obj", (0, 0, 0), (0, 0, 0, 1), (1, 1, 1, 1))
    client = SimpleNamespace(
        getNumBodies=lambda **_: 1,
        getBodyUniqueId=lambda _, **__: 0,
        getVisualShapeData=lambda _, **__: [data],
        getDynamicsInfo=lambda *_, **__: (1, 1, 1, (0, 0, 0), (0, 0, 0, 1)),
    )
    with pytest.raises(InputError, match=r"got 'nowhere\.obj', which is not there"):
        ClientShapes(client, 0)
