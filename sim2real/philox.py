"""Random numbers by address: uniform numbers that are a function of a name, a seed and a place in a stream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ROUNDS = 10
# 52 bits and a half: never 0, never 1, and exact in a double.
_UNIT = 2.0**-52


def philox4x32(counter: tuple[Words, Words, Words, Words], key: tuple[Words, Words]) -> tuple[Words, ...]:
    """Return four random words of 32 bits for each counter and key; all arguments are broadcast.

    Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Words are
    held in 64 bits, so that products need no split.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0 = (product1 >> _HALF) ^ c1 ^ k0
        c1 = product1 & _LOW
        c2 = (product0 >> _HALF) ^ c3 ^ k1
        c3 = product0 & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


def stream_keys(names: Iterable[str], seed: int) -> Words:
    """Return the keys (R, 2) of the streams of these names for a seed, any integer."""
    digests = [hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest() for name in names]
    return np.frombuffer(b"".join(digests), "<u4").reshape(-1, 2).astype(np.uint64)


def uniforms(keys: Words, blocks: Words, indices: Words, slots: Words) -> NDArray[np.float64]:
    """Return uniform numbers (R, N, 2) between 0 and 1, both excluded.

    Args:
        keys: (R, 2), from `stream_keys`.
        blocks: (R,), which pair of numbers of the stream.
        indices: (N,), below 2**64: the number of the world.
        slots: (N,), below 2**32: which redraw within that world.
    """
    counter = (indices & _LOW, indices >> _HALF, slots, blocks[:, None])
    words = philox4x32(counter, (keys[:, :1], keys[:, 1:]))
    out = np.empty((len(blocks), len(indices), 2))
    out[..., 0] = (words[0] << np.uint64(20)) | (words[1] >> np.uint64(12))
    out[..., 1] = (words[2] << np.uint64(20)) | (words[3] >> np.uint64(12))
    out += 0.5
    out *= _UNIT
    return out
