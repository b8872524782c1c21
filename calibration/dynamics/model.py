"""The planar serial arm: which base parameters its motion depends on, and their names and units.

With lengths and gravity known, the motion depends on two numbers a link and on friction only. In absolute angles
`theta_k = q_1 + ... + q_k` the Lagrangian of links in one vertical plane is

    T = 1/2 sum_k J_k w_k^2 + sum_{i<j} l_i h_j w_i w_j cos(theta_i - theta_j),   V = -g sum_k h_k cos(theta_k)

with `J_k = I_k + m_k c_k^2 + l_k^2 (m_{k+1} + ... + m_N)` and `h_k = m_k c_k + l_k (m_{k+1} + ... + m_N)`. These are
the base (minimal) parameters in closed form (Gautier and Khalil 1990; Khalil and Dombre 2002, chapter 9). The five of a
double pendulum in textbooks (Siciliano et al. 2009, section 7.3) are J_1, J_2, l_1 h_2, g h_1, g h_2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.physics import STANDARD_GRAVITY_M_S2

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]
Part = tuple[str, int]

_UNITS = {
    "inertia": "kg m^2",
    "moment": "kg m",
    "viscous": "N m s/rad",
    "coulomb": "N m",
    "stribeck": "N m",
    "offset": "N m",
    "rotor": "kg m^2",
}


@dataclass(frozen=True)
class ArmModel:
    """What is known of a planar arm before it is identified, and which terms its model has.

    A parameter vector (P,) follows `names`.

    Attributes:
        lengths_m: from each joint to the next, or to the end.
        gravity_m_s2: downwards.
        friction_velocity_rad_s: the sign of dry friction is `tanh(velocity / friction_velocity_rad_s)`.
        stribeck_velocity_rad_s: the extra friction near rest falls as `exp(-(velocity / this)^2)`.
        with_offset: each torque sensor has a constant error.
        with_stribeck: dry friction is larger near rest.
        with_rotor: joints above the first have an inertia that turns with the joint alone: a geared motor's. That of
            the first joint cannot be told from its link's.
    """

    lengths_m: tuple[float, ...]
    gravity_m_s2: float = STANDARD_GRAVITY_M_S2
    friction_velocity_rad_s: float = 0.1
    stribeck_velocity_rad_s: float = 0.3
    with_offset: bool = True
    with_stribeck: bool = False
    with_rotor: bool = False

    def __post_init__(self) -> None:
        """Check that there is a link and that every length is one."""
        if not self.lengths_m:
            raise InputError("lengths_m must have a length for each link, got none")
        for name in ("gravity_m_s2", "friction_velocity_rad_s", "stribeck_velocity_rad_s"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, got {getattr(self, name):g}")
        if not all(length > 0 for length in self.lengths_m):
            raise InputError(f"lengths_m must be above 0, got {min(self.lengths_m):g}")

    @property
    def joints(self) -> int:
        """How many joints there are."""
        return len(self.lengths_m)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What each parameter is, and of which joint, counted from 0."""
        out: list[Part] = [(kind, k) for k in range(self.joints) for kind in ("inertia", "moment")]
        friction = ["viscous", "coulomb"] + ["stribeck"] * self.with_stribeck + ["offset"] * self.with_offset
        out += [(kind, k) for k in range(self.joints) for kind in friction]
        return (*out, *(("rotor", k) for k in range(1, self.joints) if self.with_rotor))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters, such as `inertia_1` and `coulomb_2`."""
        return tuple(f"{kind}_{k + 1}" for kind, k in self.parts)

    @property
    def units(self) -> tuple[str, ...]:
        """The unit of each parameter."""
        return tuple(_UNITS[kind] for kind, _ in self.parts)

    def column(self, kind: str, joint: int) -> int | None:
        """Return where a parameter is, or None when the model lacks it."""
        return self.parts.index((kind, joint)) if (kind, joint) in self.parts else None
