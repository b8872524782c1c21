"""The cut-off of the torque equation, chosen on the runs that are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.dynamics.equations import solve_linear, stacked
from calibration.dynamics.feasible import uniform_rods
from calibration.dynamics.filtering import FilterSettings, torque_equations
from calibration.dynamics.logs import MotionLog, driven_joints
from calibration.dynamics.model import ArmModel

CUTS_HZ = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
FEWEST_RUNS = 3


@dataclass(frozen=True)
class CutChoice:
    """A cut-off and what it was chosen by.

    Attributes:
        filters: with the cut-off.
        unexplained: by cut-off, the share of the measured torque's variance that is left, mean over runs and joints.
    """

    filters: FilterSettings
    unexplained: dict[float, float]


def choose_cut(
    model: ArmModel,
    logs: Sequence[MotionLog],
    filters: FilterSettings,
    rod_mass_kg: float,
    cuts_hz: Sequence[float] = CUTS_HZ,
) -> CutChoice:
    """Return the cut-off whose torques are nearest to the measured ones in runs that were left out of the fit.

    Each run in turn is explained by the least-squares fit to the others; the explained torque is low-passed, the
    measured one is not, so that the target is the same for all cut-offs: a low one loses what the model could explain,
    a high one lets in noise of the acceleration and what a rigid arm does not do. The choice sees no other run. With
    fewer than three runs the cut-off stays.

    Args:
        model: names the parameters.
        logs: runs to fit.
        filters: the other cut-off and the edges.
        rod_mass_kg: of each link of the un-identified model.
        cuts_hz: to choose from; those above the motion's cut-off or 0.4 of the sample rate are left out.

    Raises:
        InputError: a log has other joints than the model, or is too short.
    """
    fastest = min(filters.motion_hz, *(0.4 / log.step_s for log in logs))
    losses: dict[float, float] = {}
    if len(logs) >= FEWEST_RUNS:
        for cut in cuts_hz:
            if cut <= fastest:
                losses[cut] = _unexplained(model, logs, replace(filters, torque_hz=cut), rod_mass_kg)
    if not losses:
        return CutChoice(filters, {})
    return CutChoice(replace(filters, torque_hz=min(losses, key=lambda cut: losses[cut])), losses)


def _unexplained(model: ArmModel, logs: Sequence[MotionLog], filters: FilterSettings, rod_mass_kg: float) -> float:
    prior = uniform_rods(model, [rod_mass_kg] * model.joints)
    blocks = stacked(model, logs, filters)
    shares = []
    for k, log in enumerate(logs):
        parameters = solve_linear(model, (*blocks[:k], *blocks[k + 1 :]), prior).parameters
        matrix, _ = torque_equations(model, log, filters)
        edge = round(filters.edge_s / log.step_s)
        torques = log.torques[edge : len(log.torques) - edge]
        left = np.var(torques - matrix @ parameters, axis=0) / np.maximum(np.var(torques, axis=0), 1e-300)
        shares += [float(left[j]) for j in driven_joints(log)]
    return float(np.mean(shares))
