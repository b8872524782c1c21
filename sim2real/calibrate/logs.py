"""Columns of CSV files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError


def read_columns(path: Path, names: list[str]) -> list[NDArray[np.float64]]:
    """Return columns (N,) of a CSV file with a header.

    Raises:
        InputError: the file or a column is missing, it is empty, or a value is no number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', error)}") from None
    if len(rows) < 2:
        raise InputError(
            f"log {path} must have a header and rows, found {len(rows)} line{'' if len(rows) == 1 else 's'}"
        )
    header = [h.strip() for h in rows[0]]
    found = []
    for name in names:
        if name not in header:
            raise InputError(f"log {path} needs column '{name}', found {', '.join(header)}")
        at = header.index(name)
        values = []
        for number, row in enumerate(rows[1:], start=2):
            try:
                values.append(float(row[at]))
            except (ValueError, IndexError):
                got = row[at] if at < len(row) else "nothing"
                raise InputError(f"{path} line {number}: {name} must be a number, got '{got}'") from None
        found.append(np.array(values))
    return found
