"""What moves in a station, as numbers: joints and free bodies that its rig places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.rig import Rig
from calibration.world import WorldParams
from sim2real.realdata import LABELS, read_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Component:
    """One number of a station's state.

    Attributes:
        path: of the world's value that holds it.
        element: of that value, where it is a vector.
        spread: of the difference of two values drawn evenly from its range, radians or metres.
        column: of labels.csv that measures it; None where nothing does.
    """

    path: str
    element: int | None
    spread: float
    column: str | None


def state_components(rig: Rig) -> tuple[Component, ...]:
    """Return what moves in a station: each placed joint, and each coordinate of a placed body that has a range."""
    columns = {j.name: j.column for j in rig.joints}
    found = []
    for p in rig.placements:
        if p.joint is not None and p.range is not None and p.range[0] < p.range[1]:
            found.append(Component(f"joints.{p.joint}.position", None, _spread(p.range), columns.get(p.joint)))
        for element, side in enumerate((p.x_m, p.y_m, p.z_m)):
            if p.body is not None and side is not None and side[0] < side[1]:
                found.append(Component(f"bodies.{p.body}.position_m", element, _spread(side), None))
    return tuple(found)


def state_of(world: WorldParams, components: Sequence[Component]) -> Floats:
    """Return the state (D,) of a world."""
    joints = world.joint_positions()
    values = []
    for c in components:
        _, name, _ = c.path.split(".")
        values.append(joints[name] if c.element is None else world.body(name).position_m[c.element])
    return np.array(values)


def check_measured(rig: Rig) -> None:
    """Check that photographs of a station can come with what its joints measured.

    Raises:
        InputError: no placed joint has a column.
    """
    if not any(c.column for c in state_components(rig)):
        raise InputError(
            f"method inverse-dynamics needs what moved between photographs, and rig {rig.name} names no column for a "
            "placed joint; add one to its [[joints]], or use masked-patches"
        )


def measured_state(folder: Path, rig: Rig, files: Sequence[str]) -> Floats:
    """Return the state (N, D) that a station's joints measured at its photographs; NaN where nothing measures it.

    Joint positions are proprioception: the arm knows them without a person who labels.

    Args:
        folder: with labels.csv, of which the columns of image and joints are read.
        rig: the station.
        files: names of the photographs.

    Raises:
        InputError: no joint has a column, or the file lacks one, or a number.
    """
    check_measured(rig)
    components = state_components(rig)
    columns = [c.column for c in components if c.column]
    rows = {
        row[rig.data.image_column]: (n, row) for n, row in read_rows(folder, rig, [rig.data.image_column, *columns])
    }
    state = np.full((len(files), len(components)), np.nan)
    for k, file in enumerate(files):
        line, row = rows[file]
        for d, c in enumerate(components):
            if c.column:
                state[k, d] = _number(row[c.column], c.column, f"{folder / LABELS} line {line}")
    return state


def _spread(side: tuple[float, float]) -> float:
    return (side[1] - side[0]) / math.sqrt(6.0)


def _number(text: str, column: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {column} must be a number, got '{text}'")
    return value
