"""Worlds as plain arrays: all that a renderer needs, without a simulator and without Python objects per body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from envs.meshes.mesh import Mesh, MeshLevels

Float = NDArray[np.float32]
Int = NDArray[np.int32]

NO_TEXTURE = -1
# Kinds of background.
FLAT, PICTURE, SKY = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Geometry:
    """All shapes of a scene, packed; nothing here changes from view to view.

    A shape is a run of levels, a level is a run of vertices and a run of triangles. Shape S has the levels
    `shape_level[S]` to `shape_level[S + 1]`, level L the vertices `level_vertex[L]` to `level_vertex[L + 1]`.

    Attributes:
        positions_m: (V, 3), in the shape's frame.
        normals: (V, 3), unit length.
        uvs: (V, 2); (0, 0) is the lower left corner of a texture.
        triangles: (T, 3), indices of vertices counted from the first one of the level.
        triangle_part: (T,), index into the surface parts.
        part_rgb: (P, 3), colour of each part, 0 to 1.
        part_texture: (P,), index of its texture or NO_TEXTURE.
        level_vertex: (L + 1,).
        level_triangle: (L + 1,).
        level_error_m: (L,), distance to the finest level of the same shape.
        shape_level: (S + 1,).
        shape_centre_m: (S, 3), centre of the bounding sphere.
        shape_radius_m: (S,).
        shape_closed: bool (S,), whether no level has an open edge, so that only its outside can be seen.
    """

    positions_m: Float
    normals: Float
    uvs: Float
    triangles: Int
    triangle_part: Int
    part_rgb: Float
    part_texture: Int
    level_vertex: Int
    level_triangle: Int
    level_error_m: Float
    shape_level: Int
    shape_centre_m: Float
    shape_radius_m: Float
    shape_closed: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Textures:
    """Textures with their mip-maps in one run of bytes.

    Level 0 of texture K starts at texel `start[K]` and has `size_px[K]` squared texels, a power of two, first row at
    the top; each next level follows with half the size, down to one texel.

    Attributes:
        texels: uint8 (N, 4), RGB and nothing.
        start: int64 (K,).
        size_px: int32 (K,).
    """

    texels: NDArray[np.uint8]
    start: NDArray[np.int64]
    size_px: Int


@dataclass(frozen=True, eq=False)
class SceneArrays:
    """N views of I instances, L lights each.

    Attributes:
        geometry: the shapes.
        textures: what `texture` and the geometry's parts refer to.
        camera: intrinsics of every view, all of one size; a pinhole, its distortion is not read.
        focal_px: (N, 4), fx fy cx cy of each view; pixel (0, 0) is the centre of the top-left pixel.
        camera_from_world: (N, 3, 4), OpenCV camera: x right, y down, z forward.
        shape: (N, I), index of the shape.
        present: bool (N, I).
        world_from_instance: (N, I, 3, 4), affine; a scale is allowed, a mirror image is not.
        segment: int16 (N, I), what the segmentation shows.
        rgb: (N, I, 3), multiplied with the colour of each part.
        texture: (N, I), in place of the parts' textures; NO_TEXTURE keeps those.
        material: (N, I, 4), specular factor, Blinn-Phong exponent, metallic 0 to 1, and 1 for a matte body, which shows
            the background darkened by shadows.
        ambient: (N, 3), light from everywhere.
        light: (N, L, 4), unit direction towards the light and 0, or its place in the world, metres, and 1.
        light_diffuse: (N, L, 3), colour times strength of matte reflection; 0 for a light that is off.
        light_specular: (N, L, 3), the same of mirror-like reflection.
        light_shadow: (N, L, 2), share of the light that a shadow takes away, 0 for none; and the angular radius of the
            source in radians or, for a light with a place, its radius in metres.
        background_kind: (N,), FLAT, PICTURE or SKY.
        background_rgb: (N, 3), colour, 0 to 1, multiplied with the picture or sky.
        background_picture: (N,), index into `pictures`.
        background_sky: (N, 4, 3), colours, 0 to 1, of zenith, horizon, ground and sun glow.
        pictures: uint8 (B, H, W, 3), of the size of the views.
    """

    geometry: Geometry
    textures: Textures
    camera: CameraIntrinsics
    focal_px: Float
    camera_from_world: Float
    shape: Int
    present: NDArray[np.bool_]
    world_from_instance: Float
    segment: NDArray[np.int16]
    rgb: Float
    texture: Int
    material: Float
    ambient: Float
    light: Float
    light_diffuse: Float
    light_specular: Float
    light_shadow: Float
    background_kind: Int
    background_rgb: Float
    background_picture: Int
    background_sky: Float
    pictures: NDArray[np.uint8]

    def moved(self, world_from_instance: Float) -> SceneArrays:
        """Return the same views with their instances elsewhere, (N, I, 3, 4)."""
        return replace(self, world_from_instance=world_from_instance)

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.focal_px)


def pack_geometry(shapes: Sequence[MeshLevels], texture_index: dict[str, int]) -> Geometry:
    """Return the shapes in one set of arrays; `texture_index` gives the number of each part's texture."""
    meshes = [mesh for shape in shapes for mesh in shape.meshes]
    parts_before = np.cumsum([0, *(len(m.parts) for m in meshes)])
    parts = [part for mesh in meshes for part in mesh.parts]
    bounds = [shape.bounds() for shape in shapes]

    def joined(arrays: Sequence[NDArray[np.generic]], dtype: type, width: int) -> NDArray[np.generic]:
        empty: NDArray[np.generic] = np.zeros((0, width) if width else 0, dtype)
        return np.ascontiguousarray(np.concatenate([empty, *arrays]).astype(dtype))

    return Geometry(
        positions_m=np.asarray(joined([m.positions_m for m in meshes], np.float32, 3), np.float32),
        normals=np.asarray(joined([m.normals for m in meshes], np.float32, 3), np.float32),
        uvs=np.asarray(joined([m.uvs for m in meshes], np.float32, 2), np.float32),
        triangles=np.asarray(joined([m.triangles for m in meshes], np.int32, 3), np.int32),
        triangle_part=np.concatenate(
            [np.zeros(0, np.int32), *(m.triangle_part + int(parts_before[k]) for k, m in enumerate(meshes))]
        ).astype(np.int32),
        part_rgb=np.array([p.rgb for p in parts], np.float32).reshape(-1, 3),
        part_texture=np.array(
            [NO_TEXTURE if p.texture == "none" else texture_index[p.texture] for p in parts], np.int32
        ),
        level_vertex=np.cumsum([0, *(len(m.positions_m) for m in meshes)]).astype(np.int32),
        level_triangle=np.cumsum([0, *(len(m.triangles) for m in meshes)]).astype(np.int32),
        level_error_m=np.array([e for shape in shapes for e in shape.errors_m], np.float32),
        shape_level=np.cumsum([0, *(len(shape.meshes) for shape in shapes)]).astype(np.int32),
        shape_centre_m=np.array([b[0] for b in bounds], np.float32).reshape(-1, 3),
        shape_radius_m=np.array([b[1] for b in bounds], np.float32),
        shape_closed=np.array([all(is_closed(m) for m in shape.meshes) for shape in shapes], np.bool_),
    )


def is_closed(mesh: Mesh) -> bool:
    """Return whether every edge has a triangle on both sides, one each way round."""
    places = np.ascontiguousarray(mesh.positions_m + np.float32(0.0)).view([("", np.float32)] * 3).reshape(-1)
    _, place = np.unique(places, return_inverse=True)
    corners = place.reshape(-1)[mesh.triangles].astype(np.int64)
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges = edges[edges[:, 0] != edges[:, 1]]
    there = edges[:, 0] * (place.max(initial=0) + 1) + edges[:, 1]
    back = edges[:, 1] * (place.max(initial=0) + 1) + edges[:, 0]
    return bool(np.array_equal(np.sort(there), np.sort(back)))
