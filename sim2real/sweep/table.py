"""Rows of a comparison: errors with intervals, and how much of the gap each method closes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.statistics import CONFIDENCE, describe
from sim2real.sweep.curves import Curve, efficiency

SCRATCH = "scratch"
_RESAMPLES = 4000
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

    Both with percentile bootstrap intervals over frames and seeds, the same draws for all, since frames and seeds are
    the same.

    Args:
        plain: errors (seeds, frames) of the model as pretrained.
        row: the same of a method.
        oracle: the same of the model that saw all labels; None: no share.
    """
    rng = np.random.default_rng(0)
    runs, frames = plain.shape
    run_share = rng.multinomial(runs, np.full(runs, 1 / runs), _RESAMPLES) / runs
    frame_share = rng.multinomial(frames, np.full(frames, 1 / frames), _RESAMPLES) / frames
    tails = [50 * (1 - CONFIDENCE), 100 - 50 * (1 - CONFIDENCE)]

    def means(table: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(((run_share @ table) * frame_share).sum(axis=1))

    gain = means(plain) - means(row)
    said: dict[str, Any] = {
        "gain": float(plain.mean() - row.mean()),
        "gain_interval": np.percentile(gain, tails).tolist(),
    }
    if oracle is not None:
        gap = means(plain) - means(oracle)
        said["gap_closed"] = float((plain.mean() - row.mean()) / (plain.mean() - oracle.mean()))
        # A resample without a gap says nothing of its share.
        said["gap_closed_interval"] = (
            np.percentile(gain[gap > 0] / gap[gap > 0], tails).tolist() if (gap > 0).any() else None
        )
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
        low, high = (scale * v for v in row["interval"])
        closed = ""
        if row.get("gap_closed_interval"):
            low_share, high_share = (100 * v for v in row["gap_closed_interval"])
            closed = f"{100 * row['gap_closed']:.0f} % [{low_share:.0f}, {high_share:.0f}]"
        lines.append(
            f"| {row['budget']} | {method} | {row['camera']} | {scale * row['mean']:.2f} [{low:.2f}, {high:.2f}] | "
            f"{scale * row['median']:.2f} | {scale * row['p90']:.2f} | {closed} | {row['seconds']:.0f} |"
        )
    return "\n".join(lines)


def _errors(records: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
    return np.array([[s["error"] for s in r["scores"]] for r in records if "scores" in r])


def _faulty(records: Sequence[dict[str, Any]]) -> float | None:
    errors = [s["error"] for r in records for s in r.get("faulty", [])]
    return float(np.mean(errors)) if errors else None
