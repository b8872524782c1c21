"""Links that can be: from base parameters to masses and back, and the nearest physical parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import least_squares

from calibration.dynamics.model import ArmModel, Float
from calibration.pendulum import PendulumLink, PendulumRig

# A uniform rod's inertia about its centre is a quarter of the sum of that and mass times centre squared.
_ROD_SHARE = 0.25
_SMALLEST_SHARE = 0.002
# Of the projection: inertia about the centre over mass times centre squared.
_SMALLEST_RATIO = 0.01


def link_masses(model: ArmModel, parameters: Float) -> tuple[tuple[float, float, float], ...] | None:
    """Return mass, centre and inertia of each link (kg, m, kg m^2), or None when there are no such bodies.

    The motion of the arm does not tell masses (`calibration.dynamics.model`), so a gauge is chosen: of each link's
    inertia about its joint the same share is that about its centre of mass, a quarter as for a uniform rod, or the
    largest smaller share with which all masses, centres and inertias are positive (the pseudo-inertia condition of
    Wensing, Kim and Slotine 2018 for links in a plane).
    """
    for share in np.geomspace(_ROD_SHARE, _SMALLEST_SHARE, 60):
        beyond, out = 0.0, []
        for k in reversed(range(model.joints)):
            length = model.lengths_m[k]
            inertia = _value(model, parameters, "inertia", k) - length**2 * beyond
            moment = _value(model, parameters, "moment", k) - length * beyond
            if inertia <= 0 or moment <= 0:
                break
            mass = moment**2 / ((1 - share) * inertia)
            out.append((float(mass), float(moment / mass), float(share * inertia)))
            beyond += mass
        if len(out) == model.joints:
            return tuple(reversed(out))
    return None


def base_parameters(model: ArmModel, links: Sequence[PendulumLink]) -> Float:
    """Return the parameters (P,) of known links; what a link does not say, such as an offset, is 0."""
    out = np.zeros(len(model.parts))
    for column, (kind, k) in enumerate(model.parts):
        link, beyond = links[k], sum(other.mass_kg for other in links[k + 1 :])
        if kind == "inertia":
            out[column] = link.inertia_kg_m2 + link.mass_kg * link.centre_m**2 + link.length_m**2 * beyond
        elif kind == "moment":
            out[column] = link.mass_kg * link.centre_m + link.length_m * beyond
        elif kind == "viscous":
            out[column] = link.damping
        elif kind == "coulomb":
            out[column] = link.friction
    return out


def uniform_rods(model: ArmModel, masses_kg: Sequence[float]) -> Float:
    """Return the parameters (P,) of uniform rods without friction: a model before it is identified."""
    links = [
        PendulumLink(length, mass, length / 2, mass * length**2 / 12)
        for length, mass in zip(model.lengths_m, masses_kg, strict=True)
    ]
    return base_parameters(model, links)


def is_feasible(model: ArmModel, parameters: Float, speed_rad_s: float = np.inf) -> bool:
    """Return whether bodies can have these parameters: positive masses and inertias, friction that takes energy.

    Friction may fall with speed, so a viscous part below 0 is allowed as long as the whole friction of a joint takes
    energy up to `speed_rad_s`; at infinity it must be 0 or more, as in a `PendulumRig`.
    """
    return link_masses(model, parameters) is not None and bool(
        np.all(parameters >= _lowest(model, parameters, speed_rad_s))
    )


def _lowest(model: ArmModel, parameters: Float, speed_rad_s: float) -> Float:
    """Return the least value (P,) that each parameter may have, by what takes energy."""
    out = np.full(len(parameters), -np.inf)
    for column, (kind, k) in enumerate(model.parts):
        if kind in ("coulomb", "rotor"):
            out[column] = 0.0
        elif kind == "viscous":
            out[column] = -max(_value(model, parameters, "coulomb", k), 0.0) / speed_rad_s
    return out


def nearest_feasible(model: ArmModel, parameters: Float, metric: Float, speed_rad_s: float = np.inf) -> Float:
    """Return the feasible parameters (P,) that are the most likely given the fitted ones; these, if they are feasible.

    Least squares over logarithms of masses, centres and ratios of inertias, and over bounded friction, so every iterate
    is a body (Traversaro et al. 2016).

    Args:
        model: names the parameters.
        parameters: (P,), fitted.
        metric: (P, P), inverse covariance of their errors.
        speed_rad_s: up to which friction must take energy.
    """
    if is_feasible(model, parameters, speed_rad_s):
        return parameters
    values, axes = np.linalg.eigh(metric)
    root = axes.T * np.sqrt(np.maximum(values, 0.0))[:, None]
    count = model.joints
    rest = [c for c, (kind, _) in enumerate(model.parts) if kind not in ("inertia", "moment")]
    low = np.concatenate(
        [np.tile([-20.0, -20.0, np.log(_SMALLEST_RATIO)], count), _lowest(model, parameters, speed_rad_s)[rest]]
    )

    def expanded(z: Float) -> Float:
        rows = np.exp(z[: 3 * count]).reshape(count, 3).tolist()
        links = [PendulumLink(n, m, c, r * m * c**2) for n, (m, c, r) in zip(model.lengths_m, rows, strict=True)]
        out = base_parameters(model, links)
        out[rest] = z[3 * count :]
        return out

    bodies = link_masses(model, parameters)
    if bodies is None:
        top = max(abs(_value(model, parameters, "moment", k)) for k in range(count)) or 0.1
        bodies = tuple((top / n, n / 2, top * n / 12) for n in model.lengths_m)
    table = np.array(bodies)
    table[:, 2] /= table[:, 0] * table[:, 1] ** 2
    start = np.concatenate([np.log(table).ravel(), np.maximum(parameters[rest], low[3 * count :])])
    high = np.concatenate([np.full(3 * count, 20.0), np.full(len(rest), np.inf)])
    inside = np.clip(start, low + 1e-12, high - 1e-12)
    done = least_squares(lambda z: root @ (expanded(z) - parameters), inside, bounds=(low, high), max_nfev=400)
    return expanded(np.asarray(done.x))


def rig_of(
    model: ArmModel, parameters: Float, name: str, description: str, torque_limits: Sequence[float]
) -> PendulumRig:
    """Return a pendulum that moves as the parameters say, with masses in the gauge of `link_masses`.

    A rotor's inertia is added to that of its link, which is exact for the first joint only; identify with
    `with_rotor=False` for parameters that a rig can hold. Offsets belong to the sensors and are left out.

    Args:
        model: names the parameters.
        parameters: (P,), feasible.
        name: of the pendulum.
        description: in a few words.
        torque_limits: of the motors, N m; 0 for a passive joint.

    Raises:
        ValueError: no bodies have these parameters.
    """
    bodies = link_masses(model, parameters)
    if bodies is None or not is_feasible(model, parameters):
        raise ValueError("parameters must be feasible; see nearest_feasible")
    links = tuple(
        PendulumLink(
            model.lengths_m[k],
            mass,
            centre,
            inertia + _value(model, parameters, "rotor", k),
            _value(model, parameters, "viscous", k),
            _value(model, parameters, "coulomb", k),
            limit,
        )
        for k, ((mass, centre, inertia), limit) in enumerate(zip(bodies, torque_limits, strict=True))
    )
    return PendulumRig(name, description, links, gravity_m_s2=model.gravity_m_s2)


def _value(model: ArmModel, parameters: Float, kind: str, joint: int) -> float:
    column = model.column(kind, joint)
    return 0.0 if column is None else float(parameters[column])
