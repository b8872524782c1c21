"""Whether refits find what was planted at pretend stations when nobody tells them which causes there are."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.errors import InputError
from calibration.records import to_plain, write_json
from calibration.rig_file import load_rig
from envs.standin import Station
from envs.standin.pictures import write_standin
from envs.standin.station import NAME
from sim2real.benchmarks.config import BenchmarkConfig
from sim2real.gap.diagnosis.command import diagnose_folder
from sim2real.gap.diagnosis.configs import DiagnoseConfig
from sim2real.gap.planted import seeing_causes
from sim2real.pretrain import core_count
from sim2real.progress import progress
from sim2real.runs import system_info

# Each cause is planted alone at so many stations; pairs that no one chose; first seeds of both.
_REPEATS, _PAIRS = 2, 20
_SEED, _PAIR_SEED = 500, 600


def benchmark(config: BenchmarkConfig) -> str:
    """Run the benchmark, write its figures if asked to, and return them as text.

    Labelled pictures of each station are written as a user would have them, and `sim2real diagnose` is run on them.

    Raises:
        InputError: numbers that cannot be, or a file that exists.
    """
    if config.out is not None and config.out.exists():
        raise InputError(f"--out must be a new file, got {config.out}")
    if config.pictures < 4:
        raise InputError(f"pictures must be 4 or more, got {config.pictures}")
    stations = _stations()
    rows = []
    workers = multiprocessing.get_context("spawn").Pool(core_count())
    with progress("stations", len(stations), "stations") as advance, workers as pool:
        jobs = [(config.rig, config.pictures, planted, seed) for planted, seed in stations]
        for row in pool.imap(_row, jobs):
            rows.append(row)
            advance(len(rows))
            if config.out is not None:
                # A long run that is stopped leaves what it found.
                write_json(config.out, to_plain({"simulation": NAME, "rows": rows, "system": system_info()}))
    return _text(config, rows)


def _stations() -> list[tuple[tuple[str, ...], int]]:
    causes = seeing_causes()
    alone = [((cause,), _SEED + k + r * len(causes)) for r in range(_REPEATS) for k, cause in enumerate(causes)]
    rng = np.random.default_rng(_PAIR_SEED)
    pairs = []
    for k in range(_PAIRS):
        one, two = rng.choice(len(causes), 2, replace=False)
        pairs.append(((causes[one], causes[two]), _PAIR_SEED + k))
    return [*alone, *pairs]


def _row(job: tuple[str, int, tuple[str, ...], int]) -> dict[str, Any]:
    """Return what is found at one station: rig, pictures, what is planted and the station's seed."""
    rig_name, pictures, planted, seed = job
    rig, station = load_rig(rig_name), Station.planted(planted, 1.0, seed)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "pictures"
        write_standin(rig, place, pictures, seed, station)
        settings = DiagnoseConfig(
            rig_name, place, frames=pictures, most=len(planted), held_out=True, seed=seed, threads=1
        )
        found = diagnose_folder(rig, place, settings)[0]
    named = [f.group for f in found.found]
    return {
        "planted": list(planted),
        "seed": seed,
        "found": [{"group": f.group, "explained": f.explained, "shrinks": f.shrinks} for f in found.found],
        "alone": [{"group": f.group, "explained": f.explained.value} for f in found.alone[:3]],
        "before": found.before,
        "hit": set(planted) == set(named),
    }


def _text(config: BenchmarkConfig, rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        f"{NAME} of {config.rig}, causes of seeing planted at size 1, {config.pictures} labelled pictures a station; "
        "causes found by refits, one after another, and by how much each shrinks the difference that was left",
        "",
        "| planted | found | best alone | hit |",
        "|---|---|---|---|",
    ]
    for row in rows:
        found = ", ".join(f"{f['group']} {100 * f['shrinks']:.0f} %" for f in row["found"])
        alone = ", ".join(f"{f['group']} {f['explained']:.2f}" for f in row["alone"])
        lines.append(f"| {', '.join(row['planted'])} | {found} | {alone} | {'yes' if row['hit'] else 'no'} |")
    for name, size in (("single causes found first", 1), ("pairs found as the first two", 2)):
        hits = [row["hit"] for row in rows if len(row["planted"]) == size]
        lines += ["", f"{name}: {sum(hits)} of {len(hits)}"]
    return "\n".join(lines)
