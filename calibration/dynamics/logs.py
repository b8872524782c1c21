"""Recorded motion and torque of an arm: CSV files to uniformly sampled runs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.dynamics.model import Float
from calibration.errors import InputError

_KNOWN = (("pos_meas", "vel_meas", "tau_meas"), ("position", "velocity", "torque"), ("pos", "vel", "tau"))
_SHORTEST_S = 0.5
_DRIVEN_SHARE = 0.2


@dataclass(frozen=True)
class LogColumns:
    """Which columns of a CSV file hold what; one name a joint, from the base outwards.

    Attributes:
        time: seconds.
        positions: radians, each relative to the link before it; all zero when hanging.
        velocities: radians a second; may be empty.
        torques: N m at the joint.
    """

    time: str
    positions: tuple[str, ...]
    velocities: tuple[str, ...]
    torques: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that every joint has its columns."""
        if not self.positions or len(self.positions) != len(self.torques):
            raise InputError(
                f"positions and torques must name one column a joint, got {len(self.positions)} and {len(self.torques)}"
            )


@dataclass(frozen=True)
class MotionLog:
    """One run, uniformly sampled.

    Attributes:
        name: of its file, without the ending.
        step_s: between samples.
        positions: (N, J), radians, as measured.
        torques: (N, J), N m, as measured.
        resampled: share of gaps between stamps that were more than 5 % off the median.
        dropped: rows with a stamp that had been there.
    """

    name: str
    step_s: float
    positions: Float
    torques: Float
    resampled: float = 0.0
    dropped: int = 0

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (len(self.positions) - 1) * self.step_s


def driven_joints(log: MotionLog) -> tuple[int, ...]:
    """Return the joints, from 0, whose torque is at least a fifth of the most driven one's (root mean square)."""
    size = np.sqrt(np.mean(log.torques**2, axis=0))
    return tuple(int(k) for k in np.flatnonzero(size >= _DRIVEN_SHARE * size.max()))


def recognised_columns(header: list[str], where: str) -> LogColumns:
    """Return the columns of a log with usual names: `pos_meas1`, `tau_meas1` or `position`, `torque`.

    Raises:
        InputError: none of them are there.
    """
    for position, velocity, torque in _KNOWN:
        for suffixes in ([str(k) for k in range(1, 10)], [""]):
            joints = [s for s in suffixes if position + s in header and torque + s in header]
            if joints and "time" in header:
                velocities = tuple(velocity + s for s in joints if velocity + s in header)
                return LogColumns(
                    "time", tuple(position + s for s in joints), velocities, tuple(torque + s for s in joints)
                )
    raise InputError(
        f"{where} must have columns such as time, pos_meas1, tau_meas1 or time, position, torque, "
        f"got {', '.join(header) or 'none'}; name them with LogColumns"
    )


def read_log(path: Path, columns: LogColumns | None = None) -> MotionLog:
    """Return one run, resampled at the median gap of its time stamps.

    Between samples values are linear. Of rows with one time stamp the first is kept: a logger that repeats a stamp
    repeats what it read.

    Args:
        path: of a CSV file with a header.
        columns: which hold what; None to recognise usual names.

    Raises:
        InputError: no file, no rows, a missing column, what is no finite number, time that goes backwards.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} must be a CSV file, got: {error}") from None
    header = [name.strip() for name in rows[0]] if rows else []
    if len(rows) < 2:
        raise InputError(f"{path} must have a header and rows of numbers, got an empty log; record the run again")
    columns = columns or recognised_columns(header, str(path))
    wanted = (columns.time, *columns.positions, *columns.torques)
    for name in wanted:
        if name not in header:
            raise InputError(f"{path} must have a column '{name}', got {', '.join(header)}")
    table = _numbers(path, rows[1:], [header.index(name) for name in wanted], wanted)
    return _uniform(path, table, len(columns.positions))


def read_logs(folder: Path, columns: LogColumns | None = None) -> tuple[MotionLog, ...]:
    """Return the runs of all CSV files of a folder, by name.

    Raises:
        InputError: there is none, they differ in their joints, or one is bad.
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise InputError(f"{folder} must hold CSV logs, got none; record a run with `time`, positions and torques")
    logs = tuple(read_log(path, columns) for path in paths)
    for path, log in zip(paths, logs, strict=True):
        if log.positions.shape[1] != logs[0].positions.shape[1]:
            raise InputError(
                f"{path} must have {logs[0].positions.shape[1]} joints as {paths[0].name} has, "
                f"got {log.positions.shape[1]}"
            )
    return logs


def _numbers(path: Path, rows: list[list[str]], indices: list[int], names: tuple[str, ...]) -> Float:
    table = np.empty((len(rows), len(indices)))
    for i, row in enumerate(rows):
        for j, index in enumerate(indices):
            text = row[index] if index < len(row) else ""
            try:
                table[i, j] = float(text)
            except ValueError:
                raise InputError(f"{path}, line {i + 2}: {names[j]} must be a number, got '{text}'") from None
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        i, j = bad[0]
        raise InputError(
            f"{path}, line {i + 2}: {names[j]} must be finite, got {table[i, j]}; {len(bad)} such values, "
            "cut them off or record the run again"
        )
    return table


def _uniform(path: Path, table: Float, joints: int) -> MotionLog:
    gaps = np.diff(table[:, 0])
    if len(back := np.flatnonzero(gaps < 0)):
        i = int(back[0])
        raise InputError(
            f"{path}, line {i + 3}: time must not go backwards, got {table[i + 1, 0]:g} after {table[i, 0]:g} s; "
            "cut the log there into two"
        )
    keep = np.concatenate([[True], gaps > 0])
    table = table[keep]
    seconds = float(table[-1, 0] - table[0, 0])
    if seconds < _SHORTEST_S:
        raise InputError(f"{path} must be {_SHORTEST_S:g} s or longer, got {seconds:g} s; record a longer run")
    step = float(np.median(np.diff(table[:, 0])))
    irregular = float(np.mean(np.abs(np.diff(table[:, 0]) / step - 1) > 0.05))
    longest = float(np.diff(table[:, 0]).max())
    if longest > max(20 * step, 0.05):
        i = int(np.argmax(np.diff(table[:, 0])))
        raise InputError(
            f"{path} must have no gap above {max(20 * step, 0.05):.3g} s, got {longest:.3g} s after "
            f"{table[i, 0]:g} s; cut the log there into two"
        )
    times = table[0, 0] + np.arange(int(seconds / step + 1e-9) + 1) * step
    values = np.stack([np.interp(times, table[:, 0], column) for column in table[:, 1:].T], axis=1)
    return MotionLog(path.stem, step, values[:, :joints], values[:, joints:], irregular, int((~keep).sum()))
