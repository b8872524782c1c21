"""How the sensor's kernels are compiled: with the same result on every machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from envs.rendering.cpu.compiled import forget_stale_code

F = TypeVar("F", bound=Callable[..., Any])

# Without `fastmath`, each operation rounds as IEEE 754 says, whatever vectors and fused operations a machine has.
# Without `_nrt`, arrays are not counted: kernels make none.
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", "_nrt": False}
# Without the wrappers, Python cannot call it; they take time to compile.
_INNER: dict[str, Any] = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def kernel(function: F) -> F:
    """Return the function compiled without the interpreter's lock, its machine code cached on disk.

    It must make no array; slices are fine.
    """
    return cast(F, numba.njit(**_OPTIONS)(function))


def part(function: F) -> F:
    """Return the function compiled for kernels to call."""
    return cast(F, numba.njit(**_INNER)(function))


def inlined(function: F) -> F:
    """Return the function compiled into each kernel that calls it."""
    return cast(F, numba.njit(forceinline=True, **_INNER)(function))


@inlined
def whole(count: int) -> int:
    """Return `count` rounded up to whole vectors: what is left over after the last one would go value by value."""
    return (count + 15) // 16 * 16


forget_stale_code(Path(__file__).parent)
