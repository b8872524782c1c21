"""Settings of the identification that are chosen on the runs that are fitted, and on no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.dynamics.equations import solve_linear, stacked
from calibration.dynamics.feasible import uniform_rods
from calibration.dynamics.filtering import FilterSettings, torque_equations
from calibration.dynamics.identify import IdentifySettings, Method, without_nuisances
from calibration.dynamics.logs import MotionLog, driven_joints
from calibration.dynamics.model import ArmModel, Float
from calibration.dynamics.shooting import shoot
from calibration.dynamics.windows import cut_windows

CUTS_HZ = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
FEWEST_RUNS = 3


@dataclass(frozen=True)
class Choice:
    """Settings and what they were chosen by.

    Attributes:
        settings: to identify with.
        by_cut: unexplained share of the measured torque's variance by cut-off of the torque equation, mean over
            left-out runs and their driven joints; empty with fewer than three runs.
        by_method: the same by what is fitted; empty too when the runs do not tell all parameters.
    """

    settings: IdentifySettings
    by_cut: dict[float, float]
    by_method: dict[Method, float]


def choose_settings(
    model: ArmModel, logs: Sequence[MotionLog], settings: IdentifySettings, cuts_hz: Sequence[float] = CUTS_HZ
) -> Choice:
    """Return the cut-off, and what is fitted (torque or motion), that explain left-out runs among the fitted ones best.

    Each run in turn is explained by a fit to the others. The explained torque is low-passed and the measured one is
    not, so the target is the same for all cut-offs: a low one loses what the model could explain, a high one lets in
    noise of the acceleration and what a rigid arm does not do. The cut-off is chosen by least squares on logs as
    recorded, then the method on logs without skews and with one offset (`without_nuisances`). A fit to motion is the
    better one where noise of the encoders is all that is wrong with the model; what a rigid arm with dry friction does
    not do, such as play and bending at some 10 Hz, enters it and is filtered out of the torque equation. With fewer
    than three runs the settings stay.

    Args:
        model: names the parameters.
        logs: runs to fit.
        settings: what is not chosen.
        cuts_hz: to choose from; those above the motion's cut-off or 0.4 of the sample rate are left out.

    Raises:
        InputError: a log has other joints than the model, or is too short.
    """
    if len(logs) < FEWEST_RUNS:
        return Choice(settings, {}, {})
    fastest = min(settings.filters.motion_hz, *(0.4 / log.step_s for log in logs))
    by_cut = {
        cut: _unexplained(model, logs, replace(settings.filters, torque_hz=cut), _by_torque(model, settings, cut))
        for cut in cuts_hz
        if cut <= fastest
    }
    if not by_cut:
        return Choice(settings, {}, {})
    best = replace(settings.filters, torque_hz=min(by_cut, key=lambda cut: by_cut[cut]))
    chosen = replace(settings, filters=best)
    by_method = _by_method(model, without_nuisances(model, logs, chosen).logs, chosen)
    if by_method:
        chosen = replace(chosen, method=min(by_method, key=lambda method: by_method[method]))
    return Choice(chosen, by_cut, by_method)


def _by_torque(model: ArmModel, settings: IdentifySettings, cut_hz: float) -> Callable[[Sequence[MotionLog]], Float]:
    prior = uniform_rods(model, [settings.rod_mass_kg] * model.joints)
    filters = replace(settings.filters, torque_hz=cut_hz)
    return lambda logs: solve_linear(model, stacked(model, logs, filters), prior).parameters


def _by_method(model: ArmModel, logs: Sequence[MotionLog], settings: IdentifySettings) -> dict[Method, float]:
    prior = uniform_rods(model, [settings.rod_mass_kg] * model.joints)
    if solve_linear(model, stacked(model, logs, settings.filters), prior).not_told:
        return {}
    by_torque = _by_torque(model, settings, settings.filters.torque_hz)

    def by_motion(fitted: Sequence[MotionLog]) -> Float:
        start = by_torque(fitted)
        fit = shoot(model, cut_windows(fitted, settings.horizon_s, settings.filters), start)
        return fit.parameters if fit.converged else start

    return {
        "motion": _unexplained(model, logs, settings.filters, by_motion),
        "torque": _unexplained(model, logs, settings.filters, by_torque),
    }


def _unexplained(
    model: ArmModel,
    logs: Sequence[MotionLog],
    filters: FilterSettings,
    fit: Callable[[Sequence[MotionLog]], Float],
) -> float:
    shares = []
    for k, log in enumerate(logs):
        parameters = fit([*logs[:k], *logs[k + 1 :]])
        matrix, _ = torque_equations(model, log, filters)
        edge = round(filters.edge_s / log.step_s)
        torques = log.torques[edge : len(log.torques) - edge]
        left = np.var(torques - matrix @ parameters, axis=0) / np.maximum(np.var(torques, axis=0), 1e-300)
        shares += [float(left[j]) for j in driven_joints(log)]
    return float(np.mean(shares))
