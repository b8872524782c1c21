"""Guard against another installed package that is also called envs, policies or calibration."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SIBLINGS = ("calibration", "envs", "policies")


def check_layout(folder: Path | None = None) -> None:
    """Check that the sibling packages are the ones beside this package.

    Raises:
        ImportError: another package shadows one of them.
    """
    here = folder or Path(__file__).resolve().parent.parent
    for name in SIBLINGS:
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve().parent if spec is not None and spec.origin else None
        if found != here / name:
            raise ImportError(
                f"import {name} finds {found}, not {here / name}: another installed package is called '{name}'. "
                "Use a fresh virtual environment."
            )
