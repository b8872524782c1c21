"""How well an identified arm explains runs that it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.dynamics.choice import choose_settings
from calibration.dynamics.feasible import uniform_rods
from calibration.dynamics.filtering import FilterSettings, torque_equations
from calibration.dynamics.identify import IdentifySettings, Method, identify
from calibration.dynamics.logs import MotionLog, driven_joints
from calibration.dynamics.model import ArmModel, Float
from calibration.dynamics.nuisance.skew import Skew, corrected, skews_by_others
from calibration.dynamics.simulate import simulator
from calibration.dynamics.windows import cut_windows
from calibration.errors import InputError

Simulate = Callable[[Float, Float, Float, float], Float]


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
        torque_hz: cut-off of the torque equation, chosen on the other runs.
        method: what was fitted, chosen on the other runs.
        skews: by joint of `torque_r2` when the other joints were read, told without that joint's torque
            (`skews_by_others`); the log was corrected where they are sure.
    """

    run: str
    torque_r2: dict[int, float]
    raw_torque_r2: dict[int, float]
    motion_rad: float
    rods_motion_rad: float
    parameters: tuple[float, ...]
    torque_hz: float
    method: Method
    skews: dict[int, tuple[Skew, ...]]

    @property
    def times_better(self) -> float:
        """How many times smaller the identified arm's error of motion is."""
        return self.rods_motion_rad / self.motion_rad


def torque_r2(
    model: ArmModel,
    parameters: Float,
    log: MotionLog,
    filters: FilterSettings,
    raw: bool = False,
    skews: Mapping[int, Sequence[Skew]] | None = None,
) -> dict[int, float]:
    """Return the share of each driven joint's torque variance that the parameters explain, by joint from 1.

    Args:
        model: names the parameters.
        parameters: (P,).
        log: a run.
        filters: of the torque equation.
        raw: compare with the torque as measured instead of the filtered one.
        skews: by joint from 1, when joints were read, for the explanation of that joint's torque; see `judged_skews`.
    """
    out = {}
    for joint in driven_joints(log):
        together = corrected(log, (skews or {}).get(joint + 1, ()))
        matrix, torques = torque_equations(model, together, filters)
        if raw:
            edge = round(filters.edge_s / log.step_s)
            torques = together.torques[edge : len(log.torques) - edge]
        left = torques[:, joint] - matrix[:, joint] @ parameters
        out[joint + 1] = float(1 - np.var(left) / np.var(torques[:, joint]))
    return out


def judged_skews(
    model: ArmModel, fitted: Sequence[MotionLog], log: MotionLog, filters: FilterSettings
) -> dict[int, tuple[Skew, ...]]:
    """Return for each driven joint, from 1, when the joints of a run were read, told without that joint's torque.

    Args:
        model: names the parameters.
        fitted: runs that the arm was identified from.
        log: the run.
        filters: of the torque equation.
    """
    return {j + 1: skews_by_others(model, fitted, log, filters, j) for j in driven_joints(log)}


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


def score_runs(
    model: ArmModel,
    fitted: Sequence[MotionLog],
    left_out: Sequence[MotionLog],
    settings: IdentifySettings | None = None,
    horizon_s: float = 0.5,
    choose: bool = True,
) -> tuple[RunScore, ...]:
    """Return the scores of left-out runs by the arm that was identified from others.

    Cut-off and method are chosen on the fitted runs (`choose_settings`). When the joints of a left-out run were read is
    estimated for each joint without the torque that it is scored on (`judged_skews`); motion is scored on the log as
    recorded.

    Args:
        model: names the parameters.
        fitted: runs to identify from.
        left_out: runs to score.
        settings: None for the usual ones.
        horizon_s: of the windows whose motion is scored.
        choose: False when the settings were chosen on the fitted runs already.

    Raises:
        InputError: no fitted runs, or one that cannot be used.
    """
    chosen = settings or IdentifySettings()
    if choose:
        chosen = choose_settings(model, fitted, chosen).settings
    filters = chosen.filters
    arm = identify(model, fitted, "all other runs", chosen).parameters
    rods = uniform_rods(model, [chosen.rod_mass_kg] * model.joints)
    out = []
    for log in left_out:
        errors = [motion_error(simulator(model, p), [log], horizon_s, filters) for p in (arm, rods)]
        skews = judged_skews(model, fitted, log, filters) if chosen.correct_skew else {}
        r2, raw = (torque_r2(model, arm, log, filters, raw, skews) for raw in (False, True))
        found = tuple(arm.tolist())
        out.append(RunScore(log.name, r2, raw, errors[0], errors[1], found, filters.torque_hz, chosen.method, skews))
    return tuple(out)


def leave_one_run_out(
    model: ArmModel, logs: Sequence[MotionLog], settings: IdentifySettings | None = None, horizon_s: float = 0.5
) -> tuple[RunScore, ...]:
    """Return the score of each run by the arm that was identified from all the others (`score_runs`).

    Raises:
        InputError: fewer than two runs, or one that cannot be used.
    """
    if len(logs) < 2:
        raise InputError(f"leaving runs out needs two or more, got {len(logs)}; record another run")
    scores = [score_runs(model, [*logs[:k], *logs[k + 1 :]], [log], settings, horizon_s) for k, log in enumerate(logs)]
    return tuple(score for part in scores for score in part)
