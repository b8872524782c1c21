"""What the links of a URDF collide with: primitives, and convex hulls of meshes."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from calibration.errors import InputError
from calibration.kinematics import frame_name, matrix_of
from envs.meshes.files import load_mesh
from envs.meshes.urdf import found_file

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Collision:
    """One shape of a link.

    Attributes:
        link: name of the link's frame, as `calibration.kinematics` has it.
        link_from_shape: (4, 4), where the shape is on its link.
        kind: box, sphere, cylinder, capsule or mesh.
        size: in MuJoCo's order, halves of sides and lengths, metres; empty for a mesh.
        points_m: (V, 3), corners of a mesh's convex hull; none for the others.
    """

    link: str
    link_from_shape: Float
    kind: str
    size: tuple[float, ...]
    points_m: Float


def urdf_collisions(path: Path) -> list[Collision]:
    """Return the collision shapes of all links of a URDF, in the file's order. A mesh becomes its hull, as in Bullet.

    Raises:
        InputError: the file is no URDF, or a shape in it cannot be used.
    """
    try:
        robot = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"a robot must be a URDF file, got {path}: {error}") from None
    found = []
    for link in robot.findall("link"):
        for collision in link.findall("collision"):
            try:
                found.append(_collision(frame_name(link.get("name", "")), collision, path))
            except (ValueError, IndexError, TypeError) as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"link '{link.get('name')}' has a collision that is not understood: {path}") from None
    return found


def _collision(link: str, element: ElementTree.Element, path: Path) -> Collision:
    origin, geometry = element.find("origin"), element.find("geometry")
    place = np.eye(4)
    if origin is not None:
        place = matrix_of(_vector(origin.get("xyz"), 0.0), _vector(origin.get("rpy"), 0.0))
    if geometry is None:
        raise ValueError("no geometry")
    shape, none = geometry[0], np.zeros((0, 3))
    if shape.tag == "mesh":
        hull = _hull(found_file(shape.get("filename", ""), path), _vector(shape.get("scale"), 1.0))
        return Collision(link, place, "mesh", (), hull)
    if shape.tag == "box":
        x, y, z = _vector(shape.get("size"), 1.0)
        return Collision(link, place, "box", (x / 2, y / 2, z / 2), none)
    radius = float(shape.get("radius", ""))
    if shape.tag == "sphere":
        return Collision(link, place, "sphere", (radius,), none)
    if shape.tag in ("cylinder", "capsule"):
        return Collision(link, place, shape.tag, (radius, float(shape.get("length", "")) / 2), none)
    raise ValueError(shape.tag)


@lru_cache(maxsize=64)
def _hull(path: Path, scale: tuple[float, float, float]) -> Float:
    with warnings.catch_warnings():
        # What a file lacks for being drawn does not matter here.
        warnings.simplefilter("ignore")
        points = load_mesh(path, scale).positions_m.astype(np.float64)
    return np.asarray(points[ConvexHull(points).vertices])


def _vector(text: str | None, default: float) -> tuple[float, float, float]:
    if text is None:
        return default, default, default
    x, y, z = (float(word) for word in text.split())
    return x, y, z
