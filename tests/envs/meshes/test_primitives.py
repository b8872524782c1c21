import math

import numpy as np
import pytest

from calibration.errors import InputError
from envs.meshes.mesh import Mesh, MeshLevels
from envs.meshes.primitives import box, capsule, cylinder, sphere

ROUND = {
    "sphere": (sphere(0.5), 4 / 3 * math.pi * 0.125),
    "cylinder": (cylinder(0.5, 2.0), math.pi * 0.5),
    "capsule": (capsule(0.5, 1.0), math.pi * 0.25 + 4 / 3 * math.pi * 0.125),
}


def volume(mesh: Mesh) -> float:
    p = mesh.positions_m.astype(np.float64)[mesh.triangles]
    return float(np.einsum("ti,ti->t", p[:, 0], np.cross(p[:, 1], p[:, 2])).sum() / 6)


def open_edges(mesh: Mesh) -> int:
    _, place = np.unique(np.round(mesh.positions_m, 5) + 0.0, axis=0, return_inverse=True)
    t = place.reshape(-1)[mesh.triangles]
    edges = np.sort(np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]]), axis=1)
    return int((np.unique(edges, axis=0, return_counts=True)[1] != 2).sum())


def worst_normal(mesh: Mesh) -> float:
    """Return the smallest cosine between a vertex normal and its triangle's outward normal."""
    p = mesh.positions_m.astype(np.float64)[mesh.triangles]
    across = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return float(np.einsum("ti,tki->tk", across, mesh.normals[mesh.triangles]).min())


def test_box_has_flat_faces_each_with_the_whole_texture() -> None:
    (mesh,) = box((1.0, 2.0, 3.0)).meshes
    assert (len(mesh.positions_m), len(mesh.triangles)) == (24, 12)
    assert volume(mesh) == pytest.approx(6.0)
    assert worst_normal(mesh) == pytest.approx(1.0)
    assert open_edges(mesh) == 0
    for face in mesh.uvs.reshape(6, 4, 2):
        assert sorted(map(tuple, face.tolist())) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_textures_are_upright_and_not_mirrored_on_a_box() -> None:
    (mesh,) = box((1.0, 2.0, 3.0)).meshes
    uv, p = mesh.uvs[mesh.triangles], mesh.positions_m[mesh.triangles]
    one, two = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    assert (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] > 0).all()
    side = np.abs(mesh.normals[:, 2]) < 0.5
    np.testing.assert_array_equal(mesh.uvs[side, 1] > 0.5, mesh.positions_m[side, 2] > 0)
    assert p.shape == (12, 3, 3)


@pytest.mark.parametrize("name", ROUND)
def test_round_shapes_are_closed_and_approach_their_volume(name: str) -> None:
    levels, true_volume = ROUND[name]
    volumes = [volume(mesh) for mesh in levels.meshes]
    assert volumes == sorted(volumes, reverse=True)
    assert 0.998 < volumes[0] / true_volume < 1
    for mesh in levels.meshes:
        assert open_edges(mesh) == 0
        assert worst_normal(mesh) > 0.92
        assert (mesh.uvs.min(), mesh.uvs.max()) == (0.0, 1.0)
        np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-6)


def gap(levels: MeshLevels, level: int, name: str) -> float:
    """Return how far a dense sample of a level lies inside the true surface at most."""
    mesh = levels.meshes[level]
    grid = np.array([[i, j, 24 - i - j] for i in range(25) for j in range(25 - i)]) / 24
    p = np.einsum("gk,tki->tgi", grid, mesh.positions_m.astype(np.float64)[mesh.triangles]).reshape(-1, 3)
    if name == "cylinder":
        p = p[np.abs(p[:, 2]) < 0.99]
        return float(0.5 - np.linalg.norm(p[:, :2], axis=1).min())
    axis = np.clip(p[:, 2], -0.5, 0.5) if name == "capsule" else 0.0
    return float((0.5 - np.sqrt(p[:, 0] ** 2 + p[:, 1] ** 2 + (p[:, 2] - axis) ** 2)).max())


@pytest.mark.parametrize("name", ["sphere", "capsule"])
def test_errors_are_those_of_the_surface(name: str) -> None:
    levels, _ = ROUND[name]
    assert levels.errors_m[0] == 0.0
    for k in (2, 3):
        assert gap(levels, k, name) == pytest.approx(levels.errors_m[k], rel=0.03)


def test_error_of_a_cylinder_is_the_sagitta() -> None:
    levels, _ = ROUND["cylinder"]
    mesh = levels.meshes[3]
    rim = np.unique(np.round(mesh.positions_m[np.abs(mesh.normals[:, 2]) < 0.5][:, :2], 5), axis=0)
    assert levels.errors_m[3] == pytest.approx(0.5 * (1 - math.cos(math.pi / len(rim))))


def test_capsule_without_length_is_a_sphere() -> None:
    assert capsule(0.2, 0.0) is sphere(0.2)
    assert np.ptp(capsule(0.2, 0.6).meshes[0].positions_m[:, 2]) == pytest.approx(1.0)


def test_sizes_that_are_no_lengths_are_input_errors() -> None:
    with pytest.raises(InputError, match="sides of a box must be more than 0 metres, got 1, 0, 1"):
        box((1.0, 0.0, 1.0))
    with pytest.raises(InputError, match="radius of a sphere"):
        sphere(float("nan"))
    with pytest.raises(InputError, match="radius and length of a cylinder"):
        cylinder(1.0, -1.0)
    with pytest.raises(InputError, match="length of a capsule must be 0 or more metres, got -1"):
        capsule(1.0, -1.0)
