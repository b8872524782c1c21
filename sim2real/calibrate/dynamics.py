"""`sim2real calibrate dynamics`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from calibration.dynamics.choice import choose_settings
from calibration.dynamics.feasible import base_parameters, uniform_rods
from calibration.dynamics.filtering import torque_equations
from calibration.dynamics.identify import ArmFit, IdentifySettings, identify
from calibration.dynamics.logs import MotionLog, read_logs
from calibration.dynamics.model import ArmModel
from calibration.dynamics.nuisance.skew import corrected
from calibration.dynamics.scoring import RunScore, leave_one_run_out, score_runs
from calibration.dynamics.simulate import simulator
from calibration.errors import InputError
from calibration.pendulum import PendulumRig, load_pendulum
from calibration.records import write_json, write_text
from sim2real.calibrate.configs import DynamicsConfig
from sim2real.calibrate.inputs import new_folder
from sim2real.calibrate.page import Plot, write_calibration
from sim2real.calibrate.plots import curves
from sim2real.gap.replay import ReplayCurve, as_plain, replay, replay_svg


def run(config: DynamicsConfig) -> tuple[str, int]:
    """Identify; return one line and the exit status.

    Raises:
        InputError: logs that cannot be read, or of another number of joints than the pendulum has.
    """
    rig = load_pendulum(config.rig)
    logs = read_logs(config.real)
    lengths = tuple(link.length_m for link in rig.links)
    model = ArmModel(lengths, rig.gravity_m_s2, with_rotor=config.rotor)
    if logs[0].positions.shape[1] != model.joints:
        raise InputError(
            f"pendulum {rig.name} has {model.joints} joints, and {logs[0].name} has {logs[0].positions.shape[1]}"
        )
    known = {log.name for log in logs}
    for name in config.test_runs:
        if name not in known:
            raise InputError(
                f"--test-runs must name logs of {config.real}, got '{name}'; known: {', '.join(sorted(known))}"
            )
    out = new_folder(config.out)
    usual = IdentifySettings()
    used = [log for log in logs if log.name not in config.test_runs]
    settings = choose_settings(model, used, usual).settings
    fit = identify(model, used, str(config.real), settings)
    plots = [_torques(fit, log, settings) for log in logs[:2]]
    rows: list[tuple[str, ...]] = []
    scores: list[RunScore] = []
    if len(logs) > 1:
        if config.test_runs:
            test = [log for log in logs if log.name in config.test_runs]
            scores = list(score_runs(model, used, test, settings, choose=False))
        else:
            scores = list(leave_one_run_out(model, logs, usual))
        rows = [_row(score) for score in scores]
        left_out = {log.name: log for log in logs}
        replayed = _replayed(model, rig, [left_out[s.run] for s in scores], scores, settings)
        write_json(out / "replay.json", as_plain(replayed, config.real.name, [s.run for s in scores]))
        over = f"mean over {len(scores)} runs with 95 % intervals" if len(scores) > 1 else f"run {scores[0].run}"
        caption = (
            f"Left-out runs replayed open loop: recorded torques, from the measured state; {over}. "
            "replay.json has the numbers."
        )
        plots.append(Plot(replay_svg(replayed, "replay", caption), caption))
    header = (
        "left-out run",
        "R2 of torque, driven joints",
        "fitted, chosen on the other runs",
        "identified: rad over 0.5 s",
        "uniform rods: rad",
        "times better",
    )
    plain = fit if not config.rotor else identify(ArmModel(lengths, rig.gravity_m_s2), used, str(config.real), settings)
    made = plain.rig(
        f"{rig.name}_identified",
        f"{rig.name}, identified from {config.real.name}",
        [link.torque_limit for link in rig.links],
    )
    write_pendulum(out / "pendulum.toml", made)
    line = write_calibration(out, f"Dynamics of {rig.name}", fit.record, plots, (), [("Left-out runs", header, rows)])
    return f"{line}; {out / 'pendulum.toml'}", 0 if fit.record.is_usable else 3


def _row(score: RunScore) -> tuple[str, ...]:
    parts = []
    for joint, value in score.torque_r2.items():
        sure = [str(s) for s in score.skews.get(joint, ()) if s.sure]
        parts.append(f"joint {joint}: {value:.3f}" + (f" (by the other torques, {', '.join(sure)})" if sure else ""))
    numbers = f"{score.motion_rad:.4f}", f"{score.rods_motion_rad:.4f}", f"{score.times_better:.1f}"
    return (score.run, ", ".join(parts), f"{score.method}, below {score.torque_hz:g} Hz", *numbers)


def _replayed(
    model: ArmModel, rig: PendulumRig, logs: Sequence[MotionLog], scores: Sequence[RunScore], settings: IdentifySettings
) -> list[ReplayCurve]:
    """Return open-loop errors of left-out runs, by arms identified from the other runs and by arms that were not."""
    known = {
        "as in the pendulum's file": base_parameters(model, rig.links),
        "uniform rods": uniform_rods(model, [settings.rod_mass_kg] * model.joints),
    }
    arms = {"identified from the other runs": [simulator(model, np.array(s.parameters)) for s in scores]}
    arms |= {name: [simulator(model, parameters)] * len(logs) for name, parameters in known.items()}
    return replay(arms, logs, settings.filters)


def write_pendulum(path: Path, rig: PendulumRig) -> None:
    """Write a pendulum as TOML."""
    lines = [
        "# Made by sim2real calibrate dynamics.",
        "format = 1",
        f'name = "{rig.name}"',
        f'description = "{rig.description}"',
    ]
    lines.append(f"gravity_m_s2 = {rig.gravity_m_s2!r}")
    for link in rig.links:
        lines += ["", "[[links]]", *(f"{f.name} = {float(getattr(link, f.name))!r}" for f in fields(link))]
    write_text(path, "\n".join(lines) + "\n")


def _torques(fit: ArmFit, log: MotionLog, settings: IdentifySettings) -> Plot:
    matrix, torques = torque_equations(fit.model, corrected(log, fit.runs.skews), settings.filters)
    joint = int(np.argmax(np.sqrt(np.mean(torques**2, axis=0))))
    time = np.arange(len(torques), dtype=np.float64) * log.step_s
    lines = [("measured", torques[:, joint]), ("explained", np.asarray(matrix @ fit.parameters, np.float64)[:, joint])]
    caption = f"{log.name}: torque of joint {joint + 1}, both through the same low-pass filter."
    return curves(time, lines, ("time, s", "torque, N m"), f"torque-{log.name}", caption)
