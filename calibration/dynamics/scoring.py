"""How well an identified arm explains runs that it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.dynamics.feasible import uniform_rods
from calibration.dynamics.filtering import FilterSettings, torque_equations
from calibration.dynamics.identify import IdentifySettings, identify
from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import ArmModel, Float
from calibration.dynamics.simulate import simulator
from calibration.dynamics.windows import cut_windows
from calibration.errors import InputError

Simulate = Callable[[Float, Float, Float, float], Float]
_DRIVEN_SHARE = 0.2


@dataclass(frozen=True)
class RunScore:
    """One left-out run.

    Attributes:
        run: its name.
        torque_r2: by joint, counted from 1, of the joints that are driven: share of the torque's variance explained,
            after the filters of the torque equation.
        raw_torque_r2: the same against the torque as measured, with the sensor's noise and ripple.
        motion_rad: root mean square error of simulated positions, over windows and joints.
        rods_motion_rad: the same for uniform rods without friction.
        parameters: (P,) of the arm, identified from the other runs.
    """

    run: str
    torque_r2: dict[int, float]
    raw_torque_r2: dict[int, float]
    motion_rad: float
    rods_motion_rad: float
    parameters: tuple[float, ...]

    @property
    def times_better(self) -> float:
        """How many times smaller the identified arm's error of motion is."""
        return self.rods_motion_rad / self.motion_rad


def driven_joints(log: MotionLog) -> tuple[int, ...]:
    """Return the joints, from 0, whose torque is at least a fifth of the most driven one's (root mean square)."""
    size = np.sqrt(np.mean(log.torques**2, axis=0))
    return tuple(int(k) for k in np.flatnonzero(size >= _DRIVEN_SHARE * size.max()))


def torque_r2(
    model: ArmModel, parameters: Float, log: MotionLog, filters: FilterSettings, raw: bool = False
) -> dict[int, float]:
    """Return the share of each driven joint's torque variance that the parameters explain, by joint from 1.

    Args:
        model: names the parameters.
        parameters: (P,).
        log: a run.
        filters: of the torque equation.
        raw: compare with the torque as measured instead of the filtered one.
    """
    matrix, torques = torque_equations(model, log, filters)
    if raw:
        edge = round(filters.edge_s / log.step_s)
        torques = log.torques[edge : len(log.torques) - edge]
    left = torques - matrix @ parameters
    return {k + 1: float(1 - np.var(left[:, k]) / np.var(torques[:, k])) for k in driven_joints(log)}


def motion_error(simulate: Simulate, logs: Sequence[MotionLog], horizon_s: float, filters: FilterSettings) -> float:
    """Return the root mean square error of simulated positions, radians, over all windows of a length.

    Args:
        simulate: maps positions (W, J), velocities (W, J), torques (T, W, J) and a step to positions (T, W, J).
        logs: runs of one sample rate.
        horizon_s: of the windows.
        filters: of the first states.
    """
    windows = cut_windows(logs, horizon_s, filters)
    # The torque's ripple is noise that a simulated arm feels as much as a real one, so it is not filtered.
    simulated = simulate(windows.start_positions, windows.start_velocities, windows.torques, windows.step_s)
    return float(np.sqrt(np.mean((simulated - windows.positions) ** 2)))


def leave_one_run_out(
    model: ArmModel, logs: Sequence[MotionLog], settings: IdentifySettings | None = None, horizon_s: float = 0.5
) -> tuple[RunScore, ...]:
    """Return the score of each run by the arm that was identified from all the others.

    Raises:
        InputError: fewer than two runs, or one that cannot be used.
    """
    if len(logs) < 2:
        raise InputError(f"leaving runs out needs two or more, got {len(logs)}; record another run")
    settings = settings or IdentifySettings()
    rods = uniform_rods(model, [settings.rod_mass_kg] * model.joints)
    out = []
    for k, log in enumerate(logs):
        fit = identify(model, [*logs[:k], *logs[k + 1 :]], "all other runs", settings)
        errors = [motion_error(simulator(model, p), [log], horizon_s, settings.filters) for p in (fit.parameters, rods)]
        r2 = torque_r2(model, fit.parameters, log, settings.filters)
        raw = torque_r2(model, fit.parameters, log, settings.filters, raw=True)
        out.append(RunScore(log.name, r2, raw, errors[0], errors[1], tuple(fit.parameters.tolist())))
    return tuple(out)
