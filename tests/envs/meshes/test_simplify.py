from pathlib import Path

import numpy as np
import pybullet_data
import pytest

from envs.meshes.cache import mesh_levels
from envs.meshes.corners import position_index
from envs.meshes.distance import distances_to_surface
from envs.meshes.files import load_mesh
from envs.meshes.mesh import Mesh, MeshLevels, Part
from envs.meshes.primitives import sphere
from envs.meshes.simplify import simplified

DATA = Path(pybullet_data.getDataPath())
PANDA = DATA / "franka_panda" / "meshes"


def open_edges(mesh: Mesh) -> int:
    triangles = position_index(mesh.positions_m)[mesh.triangles]
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    return int((np.unique(edges, axis=0, return_counts=True)[1] == 1).sum())


def check(levels: MeshLevels) -> None:
    full = levels.meshes[0]
    assert levels.errors_m[0] == 0.0
    assert list(levels.errors_m) == sorted(levels.errors_m)
    for finer, mesh in zip(levels.meshes, levels.meshes[1:], strict=False):
        assert len(mesh.triangles) < len(finer.triangles)
    for mesh in levels.meshes:
        assert open_edges(mesh) <= open_edges(full)
        np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-5)
        assert {*mesh.parts} <= {*full.parts}


def picked(levels: MeshLevels, error_m: float) -> Mesh:
    return [mesh for mesh, error in zip(levels.meshes, levels.errors_m, strict=True) if error <= error_m][-1]


@pytest.fixture(scope="module")
def hand() -> MeshLevels:
    return simplified(load_mesh(PANDA / "visual" / "hand.obj"))


def test_hand_with_a_dark_panel_does_not_crack(hand: MeshLevels) -> None:
    check(hand)
    assert len(picked(hand, 0.001).triangles) < 2000 < 7000 < len(hand.meshes[0].triangles)


def test_parts_keep_their_area(hand: MeshLevels) -> None:
    def areas(mesh: Mesh) -> dict[Part, float]:
        p = mesh.positions_m.astype(np.float64)[mesh.triangles]
        area = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1) / 2
        return {part: float(area[mesh.triangle_part == k].sum()) for k, part in enumerate(mesh.parts)}

    full, coarse = areas(hand.meshes[0]), areas(picked(hand, 0.001))
    for part, area in full.items():
        # What lies on hidden inner walls may go; a panel that changed its colour would gain or lose most of its area.
        assert coarse[part] == pytest.approx(area, rel=0.15), part


def test_errors_are_honest_for_points_between_the_vertices(hand: MeshLevels) -> None:
    full = hand.meshes[0]
    p = full.positions_m.astype(np.float64)[full.triangles]
    points = np.concatenate([p.mean(axis=1), (p[:, 0] + p[:, 1]) / 2])[::3]
    for mesh, error in list(zip(hand.meshes, hand.errors_m, strict=True))[2:12:3]:
        distance = distances_to_surface(points, mesh.positions_m.astype(np.float64)[mesh.triangles], error)
        # The error is that of a sample: what it missed is rare and not far. Which edges the library collapses depends
        # on the processor's rounding.
        assert np.mean(distance > 1.25 * error + 1e-4) < 1e-3
        assert distance.max() < 2.5 * error + 1e-4


def test_coarse_levels_shade_like_the_sphere_that_they_are_of() -> None:
    levels = simplified(sphere(0.5).meshes[0])
    check(levels)
    mesh = picked(levels, 0.01)
    assert len(mesh.triangles) < 700
    towards = mesh.positions_m / np.linalg.norm(mesh.positions_m, axis=1, keepdims=True)
    assert np.einsum("vi,vi->v", towards, mesh.normals).min() > 0.99
    # Vertices on the surface alone would leave the surface inside the sphere everywhere.
    radius = np.linalg.norm(mesh.positions_m, axis=1)
    assert radius.mean() > 0.501


def test_seams_of_texture_coordinates_stay_together() -> None:
    mesh = load_mesh(PANDA / "visual" / "link5.obj")
    textured = [k for k, part in enumerate(mesh.parts) if part.texture != "none"]
    assert textured
    levels = simplified(mesh)
    check(levels)
    coarse = picked(levels, 0.001)
    assert len(coarse.triangles) < 2500
    number = [k for k, part in enumerate(coarse.parts) if part.texture != "none"]
    uvs = coarse.uvs[coarse.triangles[coarse.triangle_part == number[0]]]
    assert np.isfinite(uvs).all()
    # No triangle reaches from one island of the texture to another.
    assert np.abs(uvs - uvs.mean(axis=1, keepdims=True)).max() < 0.35


def test_a_single_triangle_and_a_box_have_one_level() -> None:
    assert len(simplified(load_mesh(DATA / "plane100.obj")).meshes) == 1
    assert simplified(load_mesh(DATA / "cube.obj")).errors_m == (0.0,)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no texture")  # the collision meshes name pictures of their author's machine
@pytest.mark.parametrize(
    "folder",
    [
        "franka_panda/meshes",
        "kuka_iiwa/meshes",
        "xarm/xarm_description/meshes/xarm6/visual",
        "xarm/xarm_gripper/meshes",
    ],
)
def test_robots_of_pybullet_data_do_not_crack(folder: str) -> None:
    files = sorted(p for p in (DATA / folder).rglob("*") if p.suffix.lower() in (".obj", ".stl"))
    assert len(files) >= 7
    for file in files:
        check(mesh_levels(file))


@pytest.mark.slow
def test_so101_does_not_crack(robots: Path) -> None:
    files = sorted((robots / "so101").rglob("*.stl"))
    assert len(files) > 10
    for file in files:
        check(mesh_levels(file))
