"""Elementary functions of single-precision numbers that compile to vector instructions."""

from __future__ import annotations

import numpy as np

from envs.sensing.exact import inlined

_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_MANTISSA_BITS = np.int32(23)
_BIAS = np.int32(127)
# The bits of sqrt(1 / 2): mantissas are taken from there to sqrt(2).
_LEAST_MANTISSA = np.int32(0x3F3504F3)
_LEAST_POWER, _MOST_POWER = np.float32(-126.0), np.float32(126.0)
_LOG = tuple(np.float32(v) for v in (1.44271348, -0.72113186, 0.47934801, -0.36749001, 0.32215493, -0.20659174))
_EXP = tuple(np.float32(v) for v in (0.99999926, 0.69312181, 0.24024745, 0.05591786, 0.0095701))
_SIN = tuple(np.float32(v) for v in (3.14158202, -5.16714279, 2.54189899, -0.55463609))
_COS = tuple(np.float32(v) for v in (0.9999933, -4.93393801, 4.04128373, -1.22212677))
L0, L1, L2, L3, L4, L5 = _LOG
E0, E1, E2, E3, E4 = _EXP
S0, S1, S2, S3 = _SIN
C0, C1, C2, C3 = _COS


@inlined
def log2(x: np.float32) -> np.float32:
    """Return the logarithm to base 2 of a positive normal number, to 3e-6: a minimax polynomial of the mantissa."""
    bits = np.float32(x).view(np.int32)
    power = np.int32(np.int32(bits - _LEAST_MANTISSA) >> _MANTISSA_BITS)
    t = np.int32(bits - np.int32(power << _MANTISSA_BITS)).view(np.float32) - _ONE
    return np.float32(power) + t * (L0 + t * (L1 + t * (L2 + t * (L3 + t * (L4 + t * L5)))))


@inlined
def exp2(x: np.float32) -> np.float32:
    """Return 2 to the power of x, to 3e-6 of it; x is clipped to -126 and 126."""
    y = min(max(x, _LEAST_POWER), _MOST_POWER)
    # Positive before it is cut, so that cutting rounds.
    whole = np.int32(y + np.float32(127.5))
    f = y - np.float32(np.int32(whole - _BIAS))
    scale = np.int32(whole << _MANTISSA_BITS).view(np.float32)
    return scale * (E0 + f * (E1 + f * (E2 + f * (E3 + f * E4))))


@inlined
def sin_half_turns(v: np.float32) -> np.float32:
    """Return the sine of v half turns, -0.5 to 0.5, to 1e-6."""
    s = v * v
    return v * (S0 + s * (S1 + s * (S2 + s * S3)))


@inlined
def cos_half_turns(v: np.float32) -> np.float32:
    """Return the cosine of v half turns, -0.5 to 0.5, to 7e-6."""
    s = v * v
    return C0 + s * (C1 + s * (C2 + s * C3))
