"""What a finished measurement holds for comparison: its protocol, and the errors of each row on every frame."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.records import read_json
from sim2real.gap.protocol import TARGETS, Protocol, read_protocol

Array = NDArray[np.float64]
_WRITTEN_BY = {
    "sim2real.gap": "gap",
    "sim2real.transfer": "transfer",
    "sim2real.evaluation": "evaluate",
    "sim2real.sweep": "sweep",
}


@dataclass(frozen=True, eq=False)
class Measured:
    """Errors that may be compared.

    Attributes:
        name: of the file or folder, for people.
        protocol: what they were measured on.
        unit: that people read, such as "cm".
        scale: from metres to it.
        rows: errors (runs, frames) in metres by row, frames in the protocol's order; NaN where one was not scored.
    """

    name: str
    protocol: Protocol
    unit: str
    scale: float
    rows: Mapping[str, Array]


def read_measured(path: Path) -> Measured:
    """Return the errors of a run folder or result file of `gap`, `transfer`, `sweep` or `evaluate`.

    Raises:
        InputError: something else, an old file without a protocol, or frames that rows do not share.
    """
    file = _result_file(path)
    data: dict[str, Any] = read_json(file)
    kind = data.get("format")
    if kind not in _WRITTEN_BY:
        raise InputError(f"a result must be of {', '.join(_WRITTEN_BY.values())}, got format {kind} ({file})")
    if "protocol" not in data:
        raise InputError(
            f"a result must hold its protocol to be compared ({file}); measure again with "
            f"`sim2real {_WRITTEN_BY[kind]}`"
        )
    protocol = read_protocol(data["protocol"], str(file))
    if kind == "sim2real.transfer":
        rows = _transfer_rows(data, protocol.scored)
    elif kind == "sim2real.gap":
        found = {n: {s["file"]: s["error"] for s in scores} for n, scores in data["predictions"].items()}
        rows = {n: _table([run], protocol.scored, n) for n, run in found.items()}
    elif kind == "sim2real.sweep":
        rows = _sweep_rows(file.parent, data, protocol.scored)
    else:
        rows = {"model": _table([_evaluated(file.with_suffix(".csv"))], protocol.scored, str(file))}
    unit = data["display_unit"] if kind != "sim2real.transfer" else data["quantity"]["display_unit"]
    return Measured(str(path), protocol, unit, {"m": 1.0, "cm": 100.0, "mm": 1000.0}[unit], rows)


def frame_protocol(target: str, quantity: str, rule: str, scored: tuple[str, ...], sha256: str) -> Protocol:
    """Return the protocol of errors of a quantity in metres on frames."""
    known = next((t for t in TARGETS if t == target), None)
    if known is None:
        raise ValueError(f"target must be {' or '.join(TARGETS)}, got {target}")
    return Protocol(known, f"{quantity}, m", rule, scored, sha256)


def _result_file(path: Path) -> Path:
    if path.is_dir():
        for name in ("gap.json", "transfer.json", "sweep.json"):
            if (path / name).is_file():
                return path / name
        raise InputError(f"{path} must hold gap.json, transfer.json or sweep.json, found none; is the run finished?")
    if not path.is_file():
        raise InputError(f"a result must be a run folder or a JSON file, got {path}")
    return path


def _transfer_rows(data: Mapping[str, Any], scored: tuple[str, ...]) -> dict[str, Array]:
    runs: dict[str, dict[tuple[int, int], dict[str, float]]] = {}
    names = {(r["key"], r["budget"]): _row_name(r["method"], r["budget"]) for r in data["rows"]}
    for p in data["predictions"]:
        name = names.get((p["key"], p["budget"]))
        if name is not None:
            run = runs.setdefault(name, {}).setdefault((p["seed"], p["subset"]), {})
            run[p["file"]] = float("nan") if p["error"] is None else p["error"]
    return {n: _table([found[k] for k in sorted(found)], scored, n) for n, found in runs.items()}


def _sweep_rows(folder: Path, data: Mapping[str, Any], scored: tuple[str, ...]) -> dict[str, Array]:
    rows: dict[str, Array] = {}
    wanted = {(r["chain"], r["camera"], r["budget"], r["strategy"]) for r in data["rows"] if "mean" in r}
    found: dict[str, dict[int, dict[str, float]]] = {}
    for path in sorted((folder / "scores").glob("*.json")):
        record = read_json(path)
        camera = "published" if "-published" in path.name else "aligned"
        if "scores" in record and (record["chain"], camera, record["budget"], record["strategy"]) in wanted:
            method = record["chain"] + (f", {record['strategy']}" if record["strategy"] else "") + f", camera {camera}"
            of_row = found.setdefault(_row_name(method, record["budget"]), {})
            of_row[record["seed"]] = {s["file"]: s["error"] for s in record["scores"]}
    for name, seeds in found.items():
        rows[name] = _table([seeds[k] for k in sorted(seeds)], scored, name)
    return rows


def _evaluated(path: Path) -> dict[str, float]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["file"]: float(row["error_m"]) for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"predictions must lie beside the summary, cannot read {path}: {error}") from None


def _row_name(method: str, budget: int) -> str:
    return f"{method}, {budget} labels" if budget else method


def _table(runs: list[dict[str, float]], scored: tuple[str, ...], where: str) -> Array:
    for run in runs:
        missing = [f for f in scored if f not in run]
        if missing:
            raise InputError(f"every row must score every frame of the protocol, '{where}' lacks {missing[0]}")
    return np.array([[run[f] for f in scored] for run in runs], dtype=np.float64)
