import dataclasses

import numpy as np
import pytest

from envs.meshes.primitives import box, sphere
from envs.meshes.texture_coordinates import with_texture_coordinates


def test_box_projection_keeps_lengths_and_is_upright() -> None:
    (mesh,) = box((1.0, 2.0, 4.0)).meshes
    made = with_texture_coordinates(dataclasses.replace(mesh, uvs=np.full_like(mesh.uvs, np.nan)))
    # One texture covers the largest extent, so a face is as large in the texture as it is in quarters of 4 m.
    for side in (-1.0, 1.0):
        for axis, sizes in ((0, (2.0, 4.0)), (1, (1.0, 4.0)), (2, (1.0, 2.0))):
            face = made.normals[:, axis] == side
            np.testing.assert_allclose(np.ptp(made.uvs[face], axis=0), np.array(sizes) / 4.0, atol=1e-6)
    uv = made.uvs[made.triangles].astype(np.float64)
    one, two = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    assert (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] > 0).all()


def test_only_what_is_missing_is_made_and_nothing_moves() -> None:
    mesh = sphere(0.5).meshes[2]
    upper = mesh.positions_m[:, 2] > 0.1
    uvs = np.where(upper[:, None], np.float32(np.nan), mesh.uvs)
    made = with_texture_coordinates(dataclasses.replace(mesh, uvs=uvs), 0.25)
    assert np.isfinite(made.uvs).all()
    assert len(made.positions_m) > len(mesh.positions_m)
    corners, before = made.positions_m[made.triangles], mesh.positions_m[mesh.triangles]
    np.testing.assert_array_equal(corners, before)
    lower = ~upper[mesh.triangles].any(axis=1)
    np.testing.assert_array_equal(made.uvs[made.triangles][lower], mesh.uvs[mesh.triangles][lower])
    # A quarter of a metre is one repeat: no edge is longer in the texture than it is in the world.
    p, uv = corners.astype(np.float64), made.uvs[made.triangles].astype(np.float64)
    with np.errstate(invalid="ignore"):
        stretch = np.linalg.norm(uv[:, 1] - uv[:, 0], axis=1) * 0.25 / np.linalg.norm(p[:, 1] - p[:, 0], axis=1)
    assert stretch[~lower].max() == pytest.approx(1.0, abs=0.02)
