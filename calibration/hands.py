"""An arm with a hand of another file: both URDFs joined into one."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from calibration.errors import InputError

_JOINT = "hand_mount"


def with_hand(
    arm: Path,
    hand: Path,
    link: str,
    position_m: tuple[float, float, float],
    rpy_rad: tuple[float, float, float],
) -> Path:
    """Return the file of a URDF in which the hand's root is fixed to a link of the arm.

    It is written to the folder that SIM2REAL_CACHE names, else ~/.cache/sim2real; where that cannot be written, to the
    folder for temporary files. Names of meshes become absolute.

    Args:
        arm: its URDF.
        hand: its URDF.
        link: of the arm.
        position_m: of the hand's root in the link.
        rpy_rad: of the hand's root in the link.

    Raises:
        InputError: no URDFs, no such link, or names that both have.
    """
    trees = [_read(path) for path in (arm, hand)]
    names = [{(e.tag, e.get("name", "")) for e in tree if e.tag in ("link", "joint")} for tree in trees]
    if ("link", link) not in names[0]:
        known = ", ".join(sorted(name for tag, name in names[0] if tag == "link"))
        raise InputError(f"robot.hand_link must be a link of {arm.name}, got '{link}'; known: {known}")
    if both := names[0] & names[1]:
        tag, name = min(both)
        raise InputError(f"{arm.name} and {hand.name} must have different names, but both have the {tag} '{name}'")
    children = {e.get("link") for e in trees[1].findall("joint/child")}
    roots = [e.get("name", "") for e in trees[1].findall("link") if e.get("name") not in children]
    if len(roots) != 1:
        raise InputError(f"robot.hand_urdf must have one root link, got {len(roots)} in {hand}")
    joint = ElementTree.SubElement(trees[0], "joint", name=_JOINT, type="fixed")
    ElementTree.SubElement(joint, "parent", link=link)
    ElementTree.SubElement(joint, "child", link=roots[0])
    ElementTree.SubElement(joint, "origin", xyz=_text(position_m), rpy=_text(rpy_rad))
    trees[0].extend(list(trees[1]))
    data = ElementTree.tostring(trees[0], encoding="utf-8", xml_declaration=True)
    return _kept(data)


def _read(path: Path) -> ElementTree.Element:
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"robot.urdf and robot.hand_urdf must be URDF files, got {path}: {error}") from None
    for mesh in root.iter("mesh"):
        name = mesh.get("filename", "")
        if "://" not in name and not Path(name).is_absolute():
            mesh.set("filename", str((path.parent / name).resolve()))
    return root


def _text(numbers: tuple[float, float, float]) -> str:
    return " ".join(f"{n:.9g}" for n in numbers)


def _kept(data: bytes) -> Path:
    name = f"{hashlib.sha256(data).hexdigest()[:16]}.urdf"
    wanted = os.environ.get("SIM2REAL_CACHE")
    for folder in (Path(wanted) if wanted else Path.home() / ".cache" / "sim2real", Path(tempfile.gettempdir())):
        path = folder / "robots" / name
        if path.is_file() and path.read_bytes() == data:
            return path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            part.write_bytes(data)
            part.replace(path)
        except OSError:
            continue
        return path
    raise InputError(f"cannot keep the joined URDF: neither the cache nor {tempfile.gettempdir()} can be written")
