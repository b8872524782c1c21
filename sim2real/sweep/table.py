"""Rows of a comparison: errors with intervals, and how much of the gap each method closes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.statistics import describe, mean_estimate, ratio_interval
from sim2real.sweep.curves import Curve, efficiency

SCRATCH = "scratch"
Key = tuple[str, bool, int, str]


def rows_of(records: dict[Key, list[dict[str, Any]]], oracle: Key | None) -> list[dict[str, Any]]:
    """Return one row a method, best first among those of one budget.

    Args:
        records: of the jobs by chain, whether the camera was aligned, budget and strategy; one job a seed.
        oracle: the row that has seen every label of the fitting side, if there is one.
    """
    plain = next((k for k in records if k[0] == "none" and not k[1] and k[2] == 0), None)
    tables = {key: _errors(found) for key, found in records.items()}
    rows = []
    for key, found in records.items():
        table = tables[key]
        row: dict[str, Any] = {
            "chain": key[0],
            "camera": "aligned" if key[1] else "published",
            "budget": key[2],
            "strategy": key[3],
            "selection": f"{key[2]} labelled frames" if key[2] else "none",
            "failed": sorted({r["failed"] for r in found if "failed" in r}),
        }
        if len(table):
            row |= {**describe(table, "m"), "run_means": table.mean(axis=1).tolist()}
            row["faulty_mean"] = _faulty(found)
            row["seconds"] = float(np.median([r["seconds"] for r in found if "seconds" in r]))
            same = plain is not None and len(tables[plain]) == len(table)
            if plain is not None and same and key != plain:
                top = tables[oracle] if oracle is not None and len(tables[oracle]) == len(table) else None
                row |= gap_closed(tables[plain], table, top)
        rows.append(row)
    return sorted(rows, key=lambda r: (r["budget"], r.get("mean", np.inf)))


def efficiencies(records: dict[Key, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return for each chain and strategy what it is worth in labelled frames against training from scratch."""
    tables: dict[tuple[str, str], dict[int, NDArray[np.float64]]] = {}
    for (name, _, budget, strategy), found in records.items():
        if budget and len(errors := _errors(found)) == len(found):
            tables.setdefault((name, strategy), {})[budget] = errors
    scratch = next((Curve.of(t) for (_, strategy), t in tables.items() if strategy == SCRATCH), None)
    if scratch is None:
        return []
    return [
        {"chain": name, "strategy": strategy, **efficiency(Curve.of(table), scratch)}
        for (name, strategy), table in tables.items()
        if strategy != SCRATCH
    ]


def gap_closed(
    plain: NDArray[np.float64], row: NDArray[np.float64], oracle: NDArray[np.float64] | None
) -> dict[str, Any]:
    """Return how much lower the mean error is than the plain model's, and the share of the gap to the oracle's.

    Both with Student's intervals over frames and seeds (`mean_estimate`, `ratio_interval`): frames and seeds are the
    same, so differences are paired. Where the gap itself may be nothing, a share of it has no interval.

    Args:
        plain: errors (seeds, frames) of the model as pretrained.
        row: the same of a method.
        oracle: the same of the model that saw all labels; None: no share.
    """
    gain = mean_estimate(plain - row, "m", signed=True)
    said: dict[str, Any] = {"gain": gain.value, "gain_interval": [gain.low, gain.high]}
    if oracle is not None:
        interval = ratio_interval(plain - row, plain - oracle)
        said["gap_closed"] = float((plain.mean() - row.mean()) / (plain.mean() - oracle.mean()))
        said["gap_closed_interval"] = None if interval is None else list(interval)
    return said


def markdown(rows: Sequence[dict[str, Any]], unit: str, scale: float) -> str:
    """Return the rows as a Markdown table, errors in a unit that is `scale` times one metre's number."""
    lines = [
        f"| labels | method | camera | mean error, {unit} | median | 90th | gap closed | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        method = row["chain"] + (f", {row['strategy']}" if row["strategy"] else "")
        if "mean" not in row:
            lines.append(
                f"| {row['budget']} | {method} | {row['camera']} | failed: {'; '.join(row['failed'])} | | | | |"
            )
            continue
        pair = row["interval"]
        interval = "" if pair is None else f" [{scale * pair[0]:.2f}, {scale * pair[1]:.2f}]"
        closed = ""
        if "gap_closed" in row:
            share = row["gap_closed_interval"]
            known = (
                "no interval: the gap may be nothing"
                if share is None
                else f"{100 * share[0]:.0f}, {100 * share[1]:.0f}"
            )
            closed = f"{100 * row['gap_closed']:.0f} % [{known}]"
        lines.append(
            f"| {row['budget']} | {method} | {row['camera']} | {scale * row['mean']:.2f}{interval} | "
            f"{scale * row['median']:.2f} | {scale * row['p90']:.2f} | {closed} | {row['seconds']:.0f} |"
        )
    return "\n".join(lines)


def _errors(records: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
    return np.array([[s["error"] for s in r["scores"]] for r in records if "scores" in r])


def _faulty(records: Sequence[dict[str, Any]]) -> float | None:
    errors = [s["error"] for r in records for s in r.get("faulty", [])]
    return float(np.mean(errors)) if errors else None
