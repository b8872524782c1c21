"""How the sensor's kernels are compiled: with the same result on every machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

# Without `fastmath`, each operation rounds as IEEE 754 says, whatever vectors and fused operations a machine has.
# Without `_nrt`, arrays are not counted: kernels make none.
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", "_nrt": False}


def kernel(function: F) -> F:
    """Return the function compiled without the interpreter's lock, its machine code cached on disk.

    It must make no array; slices are fine.
    """
    return cast(F, numba.njit(**_OPTIONS)(function))


def inlined(function: F) -> F:
    """Return the function compiled into each kernel that calls it."""
    return cast(F, numba.njit(forceinline=True, **_OPTIONS)(function))
