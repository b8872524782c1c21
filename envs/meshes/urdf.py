"""What the links of a URDF look like, without a simulator."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.kinematics import frame_name, matrix_of
from envs.meshes.cache import mesh_levels
from envs.meshes.mesh import MeshLevels, Part, Vector3
from envs.meshes.obj_file import colour
from envs.meshes.primitives import box, capsule, cylinder, sphere


@dataclass(frozen=True, eq=False)
class Visual:
    """One shape of a link.

    Attributes:
        link: name of the link's frame, as `calibration.kinematics` has it.
        link_from_visual: (4, 4), where the shape is on its link.
        levels: the shape in its colours.
    """

    link: str
    link_from_visual: NDArray[np.float64]
    levels: MeshLevels


def urdf_visuals(path: Path) -> list[Visual]:
    """Return the visual shapes of all links of a URDF, in the file's order.

    A mesh file keeps its colours if it has a texture or several colours; else the URDF's material counts, as in
    PyBullet, and white where there is none.

    Raises:
        InputError: the file is no URDF, or a shape in it cannot be used.
    """
    try:
        robot = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"a robot must be a URDF file, got {path}: {error}") from None
    named = {m.get("name", ""): m for m in robot.iter("material") if len(m)}
    visuals = []
    for link in robot.findall("link"):
        for visual in link.findall("visual"):
            try:
                levels = painted(_shape(visual.find("geometry"), path), _material(visual, named, path))
                origin = _origin(visual)
            except (ValueError, AttributeError) as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"link '{link.get('name')}' has a visual that is not understood: {path}") from None
            visuals.append(Visual(frame_name(link.get("name", "")), origin, levels))
    return visuals


def painted(levels: MeshLevels, material: Part | None) -> MeshLevels:
    """Return the shape in the material of a URDF, unless it has a texture or several colours of its own."""
    own = levels.meshes[0].parts
    if material is None:
        # The single colour of a mesh file is what its exporter left there.
        material = Part()
    if len(own) > 1 or own[0].texture != "none":
        return levels
    meshes = [dataclasses.replace(mesh, parts=(material,)) for mesh in levels.meshes]
    return dataclasses.replace(levels, meshes=tuple(meshes))


def found_file(name: str, path: Path) -> Path:
    """Return the file that a URDF means by a name: relative to itself, package://, model:// or file://.

    A package is looked for beside the URDF and in every folder above.

    Raises:
        InputError: there is no such file.
    """
    if name.startswith("file://"):
        name = name.removeprefix("file://")
    _, separator, rest = name.partition("://")
    relative = Path(rest if separator else name)
    for folder in path.resolve().parents:
        choices = [folder / relative]
        if separator and len(relative.parts) > 1:
            # Without its own name, where the package's folder is called otherwise or is `folder`.
            choices.append(folder / Path(*relative.parts[1:]))
        for choice in choices:
            if choice.is_file():
                return choice
    raise InputError(f"a mesh of a URDF must be a file, got '{name}' in {path}, found neither beside it nor above")


def _shape(geometry: ElementTree.Element | None, path: Path) -> MeshLevels:
    if geometry is None or len(geometry) == 0:
        raise ValueError("no geometry")
    shape = geometry[0]
    if shape.tag == "mesh":
        scale = _vector(shape.get("scale"), 1.0)
        return mesh_levels(found_file(shape.get("filename", ""), path), scale)
    if shape.tag == "box":
        return box(_vector(shape.get("size"), 1.0))
    radius = float(shape.get("radius", ""))
    if shape.tag == "sphere":
        return sphere(radius)
    length = float(shape.get("length", ""))
    if shape.tag == "cylinder":
        return cylinder(radius, length)
    if shape.tag == "capsule":
        return capsule(radius, length)
    raise ValueError(shape.tag)


def _material(visual: ElementTree.Element, named: dict[str, ElementTree.Element], path: Path) -> Part | None:
    """Return the material of a visual; one that only has a name is defined elsewhere in the file."""
    material = visual.find("material")
    if material is not None and len(material) == 0:
        material = named.get(material.get("name", ""))
    if material is None:
        return None
    rgba, picture = material.find("color"), material.find("texture")
    values = [float(word) for word in rgba.get("rgba", "").split()] if rgba is not None else [1.0, 1.0, 1.0]
    texture = "none"
    if picture is not None and picture.get("filename"):
        texture = f"file:{found_file(picture.get('filename', ''), path).resolve()}"
    return Part(colour(values), texture)


def _origin(visual: ElementTree.Element) -> NDArray[np.float64]:
    origin = visual.find("origin")
    if origin is None:
        return np.eye(4)
    return matrix_of(_vector(origin.get("xyz"), 0.0), _vector(origin.get("rpy"), 0.0))


def _vector(text: str | None, default: float) -> Vector3:
    if text is None:
        return default, default, default
    x, y, z = (float(word) for word in text.split())
    return x, y, z
