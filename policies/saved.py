"""Load any policy that a command left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calibration.errors import InputError
from policies.imitation import saved as imitated
from policies.learning import saved as learned
from policies.scripted import saved as scripted


def load_policy(folder: Path, env: Any = None) -> Any:
    """Return the policy of a run or of a policy's folder; it has Stable-Baselines3's `predict`.

    Args:
        folder: of either.
        env: in which it is to act, when its spaces are to be checked.

    Raises:
        InputError: no finished policy there, files that do not fit each other, or an environment with other spaces.
    """
    place = folder / "policy" if (folder / "policy").is_dir() else folder
    if (place / learned.CARD).is_file():
        return learned.load_learned(place, env)
    if (place / imitated.CARD).is_file():
        return imitated.load_student(place, env)
    if (place / scripted.CARD).is_file():
        return scripted.load_expert(place, env)
    unfinished = (folder / "config.json").is_file()
    hint = "the run is not finished; rerun it with --resume" if unfinished else "it has no card of a policy"
    raise InputError(f"policy must be a folder made by `sim2real train`, `distill` or `tune`, got {folder}: {hint}")
