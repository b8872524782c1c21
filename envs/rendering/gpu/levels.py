"""Which instance is drawn in which level of detail, for many views at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.rendering.scene_arrays import Float, Geometry, Int, SceneArrays

# Bodies larger than this cast no shadow, as in `envs.rendering.cpu.shadow`.
_LARGEST_CASTER_M = 3.0


@dataclass(frozen=True, eq=False)
class Placed:
    """Instances of N views in their cameras.

    Attributes:
        camera_from_instance: (N, I, 3, 4).
        ball: (N, I, 4), centre and radius of the bounding sphere, in the camera.
        level: (N, I), -1 for one that is not seen.
        shadow_level: (N, I), -1 for one that casts no shadow: the level that is drawn, or the coarsest out of sight.
    """

    camera_from_instance: Float
    ball: Float
    level: Int
    shadow_level: Int


class LevelTable:
    """Errors of a geometry's levels, one row a shape."""

    def __init__(self, geometry: Geometry) -> None:
        """Lay the errors out."""
        counts = np.diff(geometry.shape_level)
        self._geometry = geometry
        self._errors_m = np.full((len(counts), int(counts.max(initial=1))), np.inf, np.float32)
        for k, count in enumerate(counts):
            first = geometry.shape_level[k]
            self._errors_m[k, :count] = geometry.level_error_m[first : first + count]

    def place(self, scene: SceneArrays, near_m: float, error_px: float) -> Placed:
        """Return the instances in their cameras, in the coarsest level whose error is at most `error_px` pixels."""
        geometry = self._geometry
        camera = scene.camera_from_world
        # One product a view, of a matrix with a row of matrices.
        many, instances = scene.shape.shape
        row = scene.world_from_instance.transpose(0, 2, 1, 3).reshape(many, 3, 4 * instances)
        product = (camera[:, :, :3] @ row).reshape(many, 3, instances, 4)
        matrix = np.ascontiguousarray(product.transpose(0, 2, 1, 3))
        matrix[..., 3] += camera[:, None, :, 3]
        linear = matrix[..., :3]
        # A product and a sum in one go; over axes of length 3, NumPy's own sums take ten times as long.
        square = np.einsum("nirc,nirc->nic", linear, linear)
        scale = np.sqrt(np.maximum(np.maximum(square[..., 0], square[..., 1]), square[..., 2]))
        radius = geometry.shape_radius_m[scene.shape] * scale
        centre = geometry.shape_centre_m[scene.shape]
        ball = np.empty((*radius.shape, 4), np.float32)
        ball[..., :3] = np.einsum("nirc,nic->nir", linear, centre) + matrix[..., 3]
        ball[..., 3] = radius
        level = self._levels(scene, ball, scale, near_m, error_px)
        casts = scene.present & (scene.material[..., 3] <= 0.0) & (radius <= _LARGEST_CASTER_M)
        coarsest = geometry.shape_level[1:][scene.shape] - 1
        shadow_level = np.where(casts, np.where(level >= 0, level, coarsest), -1)
        return Placed(matrix, ball, level, shadow_level.astype(np.int32))

    def _levels(self, scene: SceneArrays, ball: Float, scale: Float, near_m: float, error_px: float) -> Int:
        x, y, z, radius = (ball[..., k] for k in range(4))
        fx, fy, cx, cy = (scene.focal_px[:, k, None] for k in range(4))
        width, height = scene.camera.width_px, scene.camera.height_px
        seen = scene.present & (z + radius >= near_m)
        for focal, offset, at in (
            (fx, cx + 0.5, x),
            (-fx, width - 0.5 - cx, x),
            (fy, cy + 0.5, y),
            (-fy, height - 0.5 - cy, y),
        ):
            seen = seen & (focal * at + offset * z >= -radius * np.sqrt(focal * focal + offset * offset))
        per_metre = fx / np.maximum(z - radius, near_m) * scale
        errors = self._errors_m[scene.shape]
        level = self._geometry.shape_level[:-1][scene.shape].astype(np.int32)
        fine = np.ones(level.shape, np.bool_)
        for k in range(1, self._errors_m.shape[1]):
            fine &= errors[..., k] * per_metre <= error_px
            level += fine
        return np.where(seen, level, -1).astype(np.int32)


def draw_commands(
    geometry: Geometry, open_level: NDArray[np.bool_], level: Int, pair: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], int]:
    """Return indirect draw commands (K, 5), the pairs in their order, and how many commands are for closed shapes.

    Args:
        geometry: the shapes.
        open_level: (L,), whether a level belongs to a shape with open edges; these come last.
        level: (P,), in which each pair is drawn.
        pair: (P, 2), where it is drawn and which instance.
    """
    counts = np.bincount(level, minlength=len(open_level))
    order = np.argsort(level.astype(np.int16) if len(open_level) < 1 << 15 else level, kind="stable")
    used = np.flatnonzero(counts)
    closed = int((~open_level[used]).sum())
    used = used[np.argsort(open_level[used], kind="stable")]
    first, stop = geometry.level_triangle[used], geometry.level_triangle[used + 1]
    before = np.cumsum(counts) - counts
    columns = [3 * (stop - first), counts[used], 3 * first, geometry.level_vertex[used], before[used]]
    return np.stack(columns, axis=1).astype(np.uint32), np.ascontiguousarray(pair[order]), closed
