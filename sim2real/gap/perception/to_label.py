"""Which photographs of a folder without labels to label next, for the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.errors import InputError
from calibration.rig import Rig
from sim2real.advice.photographs import Photographs
from sim2real.advice.record import PickedFrame
from sim2real.gap.advice import Step
from sim2real.realdata import RealFrame, stack_pictures
from sim2real.unlabelled import load_photographs, model_pictures


def photographs_to_label(
    rig: Rig, fitting: Sequence[RealFrame], known: Sequence[RealFrame], unlabelled: Path, rule: str
) -> Photographs:
    """Return the labelled frames that may be fitted, and beside them the photographs that may be labelled.

    Those that may be labelled have no colour fault and are none of the labelled folder's, under any name: scored
    frames must not be fitted.

    Args:
        rig: the station.
        fitting: labelled frames that may be fitted.
        known: all labelled frames.
        unlabelled: folder.
        rule: how labelled frames were divided, for people.

    Raises:
        InputError: no such folder, or no photograph in it that may be labelled.
    """
    hashes = {f.sha256 for f in known}
    found = [p for p in load_photographs(unlabelled, rig) if p.fault is None and p.sha256 not in hashes]
    if not found:
        raise InputError(
            f"--unlabelled must hold photographs without colour faults that are not labelled yet, found none in "
            f"{unlabelled}"
        )
    # A name may be in both folders.
    files = tuple(str(Path(unlabelled.name) / p.file) for p in found)
    pictures = model_pictures(rig, found)
    if fitting:
        pictures = np.concatenate([stack_pictures(fitting), pictures])
    own = tuple(f.file for f in fitting)
    clash = set(own) & set(files)
    if clash:
        raise InputError(f"--unlabelled must be another folder than --real's, both have {min(clash)}")
    return Photographs((*own, *files), pictures, tuple(fitting), frozenset(files), rule)


def label_step(picks: Sequence[PickedFrame], model: str, real: str, unlabelled: str) -> Step | None:
    """Return the step of labelling the picked photographs; None without any."""
    if not picks:
        return None
    shown = ", ".join(p.file for p in picks[:3]) + (", ..." if len(picks) > 3 else "")
    what = f"label the {len(picks)} photographs that tell most" if len(picks) > 1 else "label the photograph"
    return Step(
        f"{what}: {shown}",
        None,
        None,
        f"unlike the labelled ones in the features of {model}, and of which it is unsure",
        f"sim2real advise --model {model} --real {real} --unlabelled {unlabelled} --pick {len(picks)} --out advice",
    )
