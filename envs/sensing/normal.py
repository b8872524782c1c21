"""Standard normal numbers by counter: value i of a key is a function of i and the key, on every machine alike."""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np

from envs.sensing.elementary import cos_half_turns, exp2, log2, sin_half_turns
from envs.sensing.exact import inlined, kernel
from envs.sensing.light import Float

Key = tuple[int, int]


class Stream(IntEnum):
    """What the numbers of one seed are for."""

    SHADING = 0
    NOISE = 1
    GRAIN = 2


_WORD = 0xFFFFFFFFFFFFFFFF
_MIX_1, _MIX_2, _MIX_3, _MIX_4 = (np.uint32(v) for v in (0x21F0AAAD, 0x735A2D97, 0x7FEB352D, 0x846CA68B))
_8, _15, _16, _ONE_BIT, _EVEN = np.uint32(8), np.uint32(15), np.uint32(16), np.uint32(1), np.uint32(0)
_ONE = np.int32(1)
_STEP = np.float32(2.0**-24)
_HALF = np.float32(0.5)
_MINUS_2_LN_2 = np.float32(-2.0 * math.log(2.0))


def key_of(seed: int, stream: Stream) -> Key:
    """Return the key of one of the streams of a seed, which has up to 128 bits (SplitMix64, Steele et al. 2014)."""
    seed = int(seed)
    folded = seed + (seed >> 64) * 0xA0761D6478BD642F
    z = (folded + 1) * 0x9E3779B97F4A7C15 + stream * 0xD1342543DE82EF95 & _WORD
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _WORD
    z ^= z >> 31
    return z & 0xFFFFFFFF, z >> 32


@inlined
def _mixed(x: np.uint32, first: np.uint32, second: np.uint32) -> np.uint32:
    x = np.uint32(np.uint32(x ^ (x >> _16)) * first)
    x = np.uint32(np.uint32(x ^ (x >> _15)) * second)
    return np.uint32(x ^ (x >> _16))


@inlined
def room_for(count: int) -> int:
    """Return how many values `fill_normal` writes for `count`: whole vectors."""
    return (count + 31) // 32 * 32


@kernel
def fill_normal(out: Float, count: int, first: int, low: int, high: int, std: np.float32) -> None:
    """Write values of this standard deviation, numbers `first` and on of a key, `room_for` of them; `first` is even.

    Two hashes of 32 bits a pair (Mueller's lowbias32), turned to normal by Box & Muller 1958.
    """
    half = room_for(count) // 2
    one, other = out[:half], out[half : 2 * half]
    start, turned = np.uint32(np.uint32(first // 2) + np.uint32(low)), np.uint32(high)
    for i in range(half):
        x = _mixed(np.uint32(start + np.uint32(i)), _MIX_1, _MIX_2)
        y = _mixed(np.uint32(x ^ turned), _MIX_3, _MIX_4)
        radius = std * np.float32(math.sqrt(_MINUS_2_LN_2 * log2(np.float32(np.int32(x >> _8) + _ONE) * _STEP)))
        turn = np.float32(np.int32(y >> _8)) * _STEP - _HALF
        across = radius * cos_half_turns(turn)
        one[i] = radius * sin_half_turns(turn)
        # The lowest bit, which `turn` leaves out, picks the half of the circle.
        other[i] = across if (y & _ONE_BIT) == _EVEN else -across


@kernel
def fill_log_normal(out: Float, std: np.float32, low: int, high: int) -> None:
    """Write values whose logarithms to base 2 are normal numbers of a key; `out` has whole vectors of them."""
    fill_normal(out, out.shape[0], 0, low, high, std)
    for i in range(out.shape[0]):
        out[i] = exp2(out[i])


def gaussian(shape: tuple[int, ...], rng: np.random.Generator) -> Float:
    """Return independent standard normal values of this shape; the generator gives their key."""
    count = math.prod(shape)
    out = np.empty(count + 31, np.float32)
    low, high = rng.integers(0, 1 << 32, 2)
    fill_normal(out, count, 0, int(low), int(high), np.float32(1.0))
    return out[:count].reshape(shape)
