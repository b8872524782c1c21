"""Negative transfer on a page: against models trained on photographs alone, against the start, and what guards said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.estimate import Estimate
from calibration.records import read_json
from sim2real.adaptation.guards.transfer import negative_transfer
from sim2real.scratch import ALONE
from sim2real.sweep.table import SCRATCH

Array = NDArray[np.float64]
_FEWEST = 2


@dataclass(frozen=True)
class Against:
    """A model's error less another's on the same frames; above 0 it is worse.

    Attributes:
        name: of the model.
        labelled: frames that it saw.
        other: what it is compared with.
        difference: paired, with its interval.
        verdict: what that says of the model beyond chance.
    """

    name: str
    labelled: int
    other: str
    difference: Estimate
    verdict: Literal["worse", "better", "no difference beyond chance"]


@dataclass(frozen=True)
class Verdict:
    """What a guard said when a model was adapted or fine-tuned.

    Attributes:
        name: of the model.
        use: "adapted" or "simulation only".
        reason: its one line.
    """

    name: str
    use: str
    reason: str


@dataclass(frozen=True)
class Harms:
    """All that is known of harm by transfer.

    Attributes:
        against_alone: models that began in simulation, each against those trained on as many photographs alone.
        against_start: models after adaptation, each against the first one.
        verdicts: of guards, where run folders hold any.
        command: what would give the first list an entry; empty where it has one.
    """

    against_alone: tuple[Against, ...]
    against_start: tuple[Against, ...]
    verdicts: tuple[Verdict, ...]
    command: str

    @property
    def harmed(self) -> tuple[Against, ...]:
        """The models that are worse than the first one beyond chance."""
        return tuple(a for a in self.against_start if a.verdict == "worse")


def labelled_frames(selection: str) -> int:
    """Return how many labelled frames a card says that its model saw; 0 for none."""
    found = re.fullmatch(r"(\d+) labelled frames", selection)
    return int(found[1]) if found else 0


def on_target_alone(trained_on: str) -> bool:
    """Return whether a card says that its model never saw simulation."""
    return trained_on.endswith(ALONE)


def guard_verdict(folder: Path, name: str) -> Verdict | None:
    """Return what a guard said in the run folder of adapt or finetune; None where none was asked."""
    for file in ("finished.json", "adaptation.json"):
        if (folder / file).is_file():
            held = read_json(folder / file)
            decision = held.get("decision") if isinstance(held, dict) else None
            if decision:
                return Verdict(name, str(decision["use"]), str(decision["reason"]))
    return None


def harms(
    rows: Sequence[Mapping[str, Any]], errors: Sequence[Array], verdicts: Sequence[Verdict], real: str, seed: int = 0
) -> Harms:
    """Return where transfer from simulation did harm, by the negative transfer gap of Wang et al. (2019).

    Several models trained on as many photographs alone are averaged frame by frame before they are compared.

    Args:
        rows: one a model, with name, selection and trained_on as their cards say; the first is before adaptation.
        errors: (frames,) of each row, metres, on the same frames.
        verdicts: of guards.
        real: folder of the photographs and, where they are named, groups that are held out: words of a command.
        seed: of the bootstrap.
    """
    alone: dict[int, list[int]] = {}
    transferred = []
    for k, row in enumerate(rows):
        if on_target_alone(row["trained_on"]):
            alone.setdefault(labelled_frames(row["selection"]), []).append(k)
        elif k:
            transferred.append(k)
    against_alone, against_start = [], []
    for k in transferred:
        labelled = labelled_frames(rows[k]["selection"])
        if labelled in alone:
            names = ", ".join(rows[j]["name"] for j in alone[labelled])
            other = np.mean([errors[j] for j in alone[labelled]], axis=0)
            against_alone.append(_against(rows[k]["name"], labelled, names, errors[k], other, seed))
        against_start.append(_against(rows[k]["name"], labelled, rows[0]["name"], errors[k], errors[0], seed))
    counts = sorted({labelled_frames(rows[k]["selection"]) for k in transferred} - {0})
    command = ""
    if not any(a is not None for a in against_alone):
        wanted = (list(alone) or counts or [10])[0]
        how = "" if alone else f" --strategy {SCRATCH}"
        out = f"tuned{wanted}" if alone else f"alone{wanted}"
        command = f"sim2real finetune{how} --model {rows[0]['name']} --real {real} --frames {wanted} --out {out}"
    kept = tuple(a for a in against_start if a is not None)
    return Harms(tuple(a for a in against_alone if a is not None), kept, tuple(verdicts), command)


def _against(name: str, labelled: int, other: str, ours: Array, theirs: Array, seed: int) -> Against | None:
    """Return the comparison; None where fewer than two frames have both errors."""
    if np.isfinite(ours - theirs).sum() < _FEWEST:
        return None
    found = negative_transfer(ours, theirs, "m", seed)
    better = found.difference.high < 0
    verdict: Any = "worse" if found.is_harm else "better" if better else "no difference beyond chance"
    return Against(name, labelled, other, found.difference, verdict)
