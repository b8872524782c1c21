"""The discrete cosine transforms of JPEG in whole numbers, eight rows at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.sensing.exact import inlined, part

Ints = NDArray[np.int32]
_I = np.int32
_Four = tuple[np.int32, np.int32, np.int32, np.int32]
_Eight = tuple[np.int32, np.int32, np.int32, np.int32, np.int32, np.int32, np.int32, np.int32]

# Values from one of the eight rows to the next in the working memory. As a constant, it lets the compiler see that rows
# do not overlap.
STRIDE = 256

# Factors in steps of 2^-13; the digits are the factor.
_0_298, _0_390, _0_541, _0_765, _0_899, _1_175 = _I(2446), _I(3196), _I(4433), _I(6270), _I(7373), _I(9633)
_1_501, _1_847, _1_961, _2_053, _2_562, _3_072 = _I(12299), _I(15137), _I(16069), _I(16819), _I(20995), _I(25172)
_ONE_STEP = _I(13)
# Between the two directions values are 4 times as large, and once forward and back 8 times.
_EXTRA = _I(2)
_FORWARD_ROWS, _FORWARD_COLUMNS, _INVERSE_COLUMNS, _INVERSE_ROWS = _I(11), _I(15), _I(11), _I(18)


# Numba widens sums of 32 bits to 64, which halves the speed.
@inlined
def _add(a: np.int32, b: np.int32) -> np.int32:
    return np.int32(a + b)


@inlined
def _sub(a: np.int32, b: np.int32) -> np.int32:
    return np.int32(a - b)


@inlined
def _mul(a: np.int32, b: np.int32) -> np.int32:
    return np.int32(a * b)


@inlined
def _descale(a: np.int32, bits: np.int32) -> np.int32:
    return np.int32(np.int32(a + np.int32(_I(1) << np.int32(bits - _I(1)))) >> bits)


@inlined
def _odd(a: np.int32, b: np.int32, c: np.int32, d: np.int32) -> _Four:
    z1, z2, z3, z4 = _add(a, d), _add(b, c), _add(a, c), _add(b, d)
    z5 = _mul(_add(z3, z4), _1_175)
    z1, z2 = _mul(z1, _0_899), _mul(z2, _2_562)
    z3, z4 = _sub(z5, _mul(z3, _1_961)), _sub(z5, _mul(z4, _0_390))
    return (
        _add(_sub(_mul(a, _0_298), z1), z3),
        _add(_sub(_mul(b, _2_053), z2), z4),
        _add(_sub(_mul(c, _3_072), z2), z3),
        _add(_sub(_mul(d, _1_501), z1), z4),
    )


@inlined
def _forward(v: _Eight, bits: np.int32) -> _Eight:
    """Return the transform of eight values; numbers 0 and 4 are not descaled yet."""
    t0, t7, t1, t6 = _add(v[0], v[7]), _sub(v[0], v[7]), _add(v[1], v[6]), _sub(v[1], v[6])
    t2, t5, t3, t4 = _add(v[2], v[5]), _sub(v[2], v[5]), _add(v[3], v[4]), _sub(v[3], v[4])
    t10, t13, t11, t12 = _add(t0, t3), _sub(t0, t3), _add(t1, t2), _sub(t1, t2)
    z1 = _mul(_add(t12, t13), _0_541)
    two, six = _add(z1, _mul(t13, _0_765)), _sub(z1, _mul(t12, _1_847))
    seven, five, three, one = _odd(t4, t5, t6, t7)
    return (
        _add(t10, t11),
        _descale(one, bits),
        _descale(two, bits),
        _descale(three, bits),
        _sub(t10, t11),
        _descale(five, bits),
        _descale(six, bits),
        _descale(seven, bits),
    )


@inlined
def _inverse(v: _Eight, bits: np.int32) -> _Eight:
    z1 = _mul(_add(v[2], v[6]), _0_541)
    t2, t3 = _sub(z1, _mul(v[6], _1_847)), _add(z1, _mul(v[2], _0_765))
    t0, t1 = np.int32(_add(v[0], v[4]) << _ONE_STEP), np.int32(_sub(v[0], v[4]) << _ONE_STEP)
    t10, t13, t11, t12 = _add(t0, t3), _sub(t0, t3), _add(t1, t2), _sub(t1, t2)
    o0, o1, o2, o3 = _odd(v[7], v[5], v[3], v[1])
    return (
        _descale(_add(t10, o3), bits),
        _descale(_add(t11, o2), bits),
        _descale(_add(t12, o1), bits),
        _descale(_add(t13, o0), bits),
        _descale(_sub(t13, o0), bits),
        _descale(_sub(t12, o1), bits),
        _descale(_sub(t11, o2), bits),
        _descale(_sub(t10, o3), bits),
    )


@inlined
def _read(a: Ints, at: int, step: int) -> _Eight:
    return (
        a[at],
        a[at + step],
        a[at + 2 * step],
        a[at + 3 * step],
        a[at + 4 * step],
        a[at + 5 * step],
        a[at + 6 * step],
        a[at + 7 * step],
    )


@inlined
def _write(a: Ints, at: int, step: int, v: _Eight) -> None:
    a[at] = v[0]
    a[at + step] = v[1]
    a[at + 2 * step] = v[2]
    a[at + 3 * step] = v[3]
    a[at + 4 * step] = v[4]
    a[at + 5 * step] = v[5]
    a[at + 6 * step] = v[6]
    a[at + 7 * step] = v[7]


@part
def forward_row(row: Ints, blocks: int) -> None:
    """Transform each eight neighbours of a row (8 * blocks,) in place; values become 4 * sqrt(8) times as large."""
    for k in range(blocks):
        v = _forward(_read(row, 8 * k, 1), _FORWARD_ROWS)
        zero, four = np.int32(v[0] << _EXTRA), np.int32(v[4] << _EXTRA)
        _write(row, 8 * k, 1, (zero, v[1], v[2], v[3], four, v[5], v[6], v[7]))


@part
def forward_columns(a: Ints, width: int) -> None:
    """Transform columns of eight values, STRIDE apart, in place: 8 times what the orthonormal transform gives."""
    for x in range(width):
        v = _forward(_read(a, x, STRIDE), _FORWARD_COLUMNS)
        zero, four = _descale(v[0], _EXTRA), _descale(v[4], _EXTRA)
        _write(a, x, STRIDE, (zero, v[1], v[2], v[3], four, v[5], v[6], v[7]))


@part
def inverse_columns(a: Ints, width: int) -> None:
    """Transform columns of eight coefficients, STRIDE apart, back in place."""
    for x in range(width):
        _write(a, x, STRIDE, _inverse(_read(a, x, STRIDE), _INVERSE_COLUMNS))


@part
def inverse_row(row: Ints, blocks: int) -> None:
    """Transform each eight neighbours of a row (8 * blocks,) back in place."""
    for k in range(blocks):
        _write(row, 8 * k, 1, _inverse(_read(row, 8 * k, 1), _INVERSE_ROWS))
