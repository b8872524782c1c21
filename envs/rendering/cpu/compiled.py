"""How kernels are compiled, in one place."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

# Without `reassoc`, `nnan` and `ninf`: sums keep their order, and infinity may be compared. Without `_nrt`, arrays are
# not counted: kernels make none, and counting costs ten times what a pixel does.
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "fastmath": {"contract", "arcp", "nsz", "afn"},
    "error_model": "numpy",
    "_nrt": False,
}


def kernel(function: F) -> F:
    """Return the function compiled without the interpreter's lock, its machine code cached on disk.

    It must make no array; slices are fine.
    """
    return cast(F, numba.njit(**_OPTIONS)(function))


def inlined(function: F) -> F:
    """Return the function compiled into each kernel that calls it."""
    return cast(F, numba.njit(forceinline=True, **_OPTIONS)(function))


def forget_stale_code(folder: Path) -> None:
    """Remove cached machine code that other sources of a folder made: Numba looks at a kernel's own file only."""
    cache = folder / "__pycache__"
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(folder.glob("*.py")))).hexdigest()
    stamp = cache / "kernels.sha256"
    # A read-only installation has no cache to be stale.
    with contextlib.suppress(OSError):
        if cache.is_dir() and (not stamp.is_file() or stamp.read_text() != digest):
            for path in [*cache.glob("*.nbi"), *cache.glob("*.nbc")]:
                path.unlink(missing_ok=True)
            stamp.write_text(digest)


forget_stale_code(Path(__file__).parent)
