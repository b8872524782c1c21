"""Divide real frames into those to fit and those to score: by group or by block, never at random."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from calibration.errors import InputError
from calibration.rig import Rig
from sim2real.realdata import RealFrame


class Grouped(Protocol):
    """What a split looks at: a photograph with or without its label."""

    @property
    def file(self) -> str:
        """Return its name."""

    @property
    def sha256(self) -> str:
        """Return the hash of the file."""

    @property
    def group(self) -> str:
        """Return what is never divided; empty without a group column."""


@dataclass(frozen=True)
class Split:
    """Which frames may be fitted and which are scored.

    Attributes:
        rule: how it was made, for people.
        train: files that may be fitted.
        test: files that are scored.
        train_sha256: contents of the train files, so that they are known again under any name.
        sha256: hash of all of the above.
    """

    rule: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    train_sha256: tuple[str, ...]
    sha256: str


def split_frames(rig: Rig, frames: Sequence[Grouped], test_groups: Sequence[str] = ()) -> Split:
    """Return the split of frames.

    With a group column whole groups are held out: those named, else the rig's own, else the last third of the
    sorted groups. Without one, the last third of the frames in the file's order is one block.

    Raises:
        InputError: named groups that do not exist, or nothing left on one side.
    """
    column = rig.data.group_column
    groups = sorted({f.group for f in frames})
    if column and any(groups):
        wanted = [str(g) for g in test_groups]
        missing = [g for g in wanted if g not in groups]
        if missing:
            raise InputError(f"test groups must be values of column {column} ({', '.join(groups)}), got {missing[0]}")
        own = [g for g in rig.data.test_groups if g in groups]
        if not wanted and own and len(own) < len(groups):
            wanted = own
        if not wanted:
            wanted = groups[-max(1, len(groups) // 3) :]
        held = [f.group in wanted for f in frames]
        wanted = [g for g in groups if g in wanted]
        rule = f"by column {column}: {', '.join(wanted)} held out"
    else:
        if test_groups:
            raise InputError(f"test groups need a group column in rig {rig.name}, which has none")
        cut = len(frames) - max(1, len(frames) // 3)
        held = [k >= cut for k in range(len(frames))]
        rule = f"by block: the last {len(frames) - cut} frames of the recording held out"
    train = [f for f, h in zip(frames, held, strict=True) if not h]
    test = [f for f, h in zip(frames, held, strict=True) if h]
    if not train or not test:
        raise InputError(
            f"a split needs frames on both sides, got {len(train)} to fit and {len(test)} to score ({rule})"
        )
    content = {
        "rule": rule,
        "train": [f.file for f in train],
        "test": [f.file for f in test],
        "train_sha256": [f.sha256 for f in train],
        "test_sha256": [f.sha256 for f in test],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return Split(rule, tuple(content["train"]), tuple(content["test"]), tuple(content["train_sha256"]), digest)


def choose_frames(frames: Sequence[RealFrame], count: int, seed: int, what: str) -> list[RealFrame]:
    """Return `count` of the frames, drawn by seed, in their own order.

    Raises:
        InputError: there are fewer, or the count is negative.
    """
    if count < 0:
        raise InputError(f"{what} must be 0 or more frames, got {count}")
    if count > len(frames):
        raise InputError(f"{what} needs {count} usable labelled frames, found {len(frames)}; use a smaller budget")
    order = np.random.default_rng([seed, 77]).permutation(len(frames))[:count]
    return [frames[k] for k in sorted(order)]
