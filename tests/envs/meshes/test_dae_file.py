from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.meshes.distance import distances_to_surface
from envs.meshes.files import load_mesh
from envs.simulation import Simulation

# A pyramid of 100, 60 and 40 units whose tip is above one corner, so that no turn or mirroring maps it to itself.
DAE = """\
<?xml version="1.0"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
  <asset><unit meter="{unit}" name="unit"/><up_axis>{up}</up_axis></asset>
  <library_effects><effect id="paint"><profile_COMMON><technique sid="common"><lambert>
    <diffuse><color>0.2 0.4 0.6 1</color></diffuse></lambert></technique></profile_COMMON></effect></library_effects>
  <library_materials><material id="blue"><instance_effect url="#paint"/></material></library_materials>
  <library_geometries><geometry id="pyramid"><mesh>
    <source id="p"><float_array id="pa" count="12">0 0 0 100 0 0 0 60 0 0 0 40</float_array>
      <technique_common><accessor source="#pa" count="4" stride="3">
        <param name="X" type="float"/><param name="Y" type="float"/><param name="Z" type="float"/>
      </accessor></technique_common></source>
    <vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
    <triangles count="4" material="m"><input semantic="VERTEX" source="#v" offset="0"/>
      <p>0 2 1 0 1 3 0 3 2 1 2 3</p></triangles>
  </mesh></geometry></library_geometries>
  <library_visual_scenes><visual_scene id="s">
    <node id="outer"><translate>0 0 {shift}</translate><node id="inner"><rotate>0 0 1 {turn}</rotate>
      <instance_geometry url="#pyramid"><bind_material><technique_common>
        <instance_material symbol="m" target="#blue"/></technique_common></bind_material></instance_geometry>
    </node></node>
  </visual_scene></library_visual_scenes>
  <scene><instance_visual_scene url="#s"/></scene>
</COLLADA>
"""


@pytest.mark.parametrize("up", ["X_UP", "Y_UP", "Z_UP"])
def test_unit_up_axis_and_nodes_are_those_of_pybullet(tmp_path: Path, up: str) -> None:
    file = tmp_path / f"{up}.dae"
    file.write_text(DAE.format(unit=0.01, up=up, shift=20, turn=90))
    mesh = load_mesh(file, (1.0, 0.5, 1.0))
    surface = mesh.positions_m.astype(np.float64)[mesh.triangles]
    with Simulation() as simulation:
        points = seen(simulation, file)
    assert len(points) > 300
    distance = distances_to_surface(points, surface)
    assert np.quantile(distance, 0.98) < 0.005
    # PyBullet sees the whole of it: no part of our surface is far from every point it sees on this side.
    assert np.ptp(points, axis=0) == pytest.approx(np.ptp(surface.reshape(-1, 3), axis=0), abs=0.12)


def seen(simulation: Simulation, file: Path) -> Any:
    p, client, size = simulation.pybullet, simulation.client, 96
    shape = p.createVisualShape(p.GEOM_MESH, fileName=str(file), meshScale=(1, 0.5, 1), physicsClientId=client)
    p.createMultiBody(baseVisualShapeIndex=shape, physicsClientId=client)
    projection = p.computeProjectionMatrixFOV(50, 1.0, 0.5, 8.0)
    points = []
    for eye in ((2.0, 1.5, 1.8), (-2.0, -1.7, -1.2)):
        view = p.computeViewMatrix(eye, (0, 0, 0.2), (0, 0, 1))
        picture = p.getCameraImage(size, size, view, projection, renderer=p.ER_TINY_RENDERER, physicsClientId=client)
        depth, bodies = np.reshape(picture[3], (size, size)), np.reshape(picture[4], (size, size))
        row, column = np.nonzero(bodies >= 0)
        ndc = np.stack([2 * column / size - 1, 1 - 2 * (row + 1) / size, 2 * depth[row, column] - 1, 0 * row + 1])
        found = np.linalg.inv(np.reshape(projection, (4, 4)).T @ np.reshape(view, (4, 4)).T) @ ndc
        points.append((found[:3] / found[3]).T)
    return np.concatenate(points)


def test_material_and_nested_transforms(tmp_path: Path) -> None:
    file = tmp_path / "a.dae"
    file.write_text(DAE.format(unit=0.001, up="Z_UP", shift=20, turn=90))
    mesh = load_mesh(file)
    assert [p.rgb for p in mesh.parts] == [(0.2, 0.4, 0.6)]
    np.testing.assert_allclose(mesh.positions_m.min(axis=0), [-0.06, 0.0, 0.02], atol=1e-7)
    np.testing.assert_allclose(mesh.positions_m.max(axis=0), [0.0, 0.1, 0.06], atol=1e-7)
