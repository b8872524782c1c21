"""Pendulums of one link or more, as measured: a TOML file each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from calibration.errors import InputError
from calibration.physics import STANDARD_GRAVITY_M_S2
from calibration.records import from_plain


@dataclass(frozen=True)
class PendulumLink:
    """One link and the joint at its upper end; all links turn in one plane.

    Attributes:
        length_m: from its joint to that of the next link, or to its end.
        mass_kg: of the link with what is fixed to it.
        centre_m: of the mass, from the joint along the link.
        inertia_kg_m2: about the centre of mass; with the rotor's, as seen at the joint.
        damping: viscous friction of the joint, N m s/rad.
        friction: dry (Coulomb) friction of the joint, N m.
        torque_limit: of its motor, N m; 0 for a passive joint.
    """

    length_m: float
    mass_kg: float
    centre_m: float
    inertia_kg_m2: float
    damping: float = 0.0
    friction: float = 0.0
    torque_limit: float = 0.0

    def __post_init__(self) -> None:
        """Check that it is a body that can be."""
        for name in ("length_m", "mass_kg", "centre_m", "inertia_kg_m2"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name):g}")
        for name in ("damping", "friction", "torque_limit"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name):g}")


@dataclass(frozen=True)
class PendulumRig:
    """A pendulum. All angles at zero is hanging; each is relative to the link before it."""

    name: str
    description: str
    links: tuple[PendulumLink, ...]
    format: int = 1
    gravity_m_s2: float = STANDARD_GRAVITY_M_S2

    def __post_init__(self) -> None:
        """Check that there is a link, and a motor."""
        if not self.links:
            raise ValueError("a pendulum needs [[links]]")
        if not any(link.torque_limit for link in self.links):
            raise ValueError("a pendulum needs a motor: torque_limit above 0 of a link")


def pendulum_names() -> list[str]:
    """Return the names of the pendulums that come with the package."""
    folder = resources.files("calibration") / "pendulums"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_pendulum(name_or_path: str) -> PendulumRig:
    """Return a shipped pendulum or that of a TOML file.

    Raises:
        InputError: neither, no TOML, or a value that cannot be.
    """
    if name_or_path in pendulum_names():
        text = (resources.files("calibration") / "pendulums" / f"{name_or_path}.toml").read_text(encoding="utf-8")
        where = f"pendulum {name_or_path}"
    else:
        path, where = Path(name_or_path), name_or_path
        if not path.is_file():
            known = ", ".join(pendulum_names())
            raise InputError(f"rig must be a TOML file or one of {known}, got '{name_or_path}', which is neither")
        text = path.read_text(encoding="utf-8")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} must be TOML: {error}") from None
    return from_plain(PendulumRig, data, where)
