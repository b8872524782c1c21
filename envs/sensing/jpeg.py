"""What JPEG makes of a picture, without the lossless part of the codec."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.sensing.exact import inlined, kernel

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]

_CONST_BITS, _PASS_BITS = 13, 2
I = np.int32
# Cosines in steps of 2^-13, named as in the papers: of the rotations by pi / 8 and by odd sixteenths of pi.
_0_298, _0_390, _0_541, _0_765, _0_899, _1_175 = I(2446), I(3196), I(4433), I(6270), I(7373), I(9633)
_1_501, _1_847, _1_961, _2_053, _2_562, _3_072 = I(12299), I(15137), I(16069), I(16819), I(20995), I(25172)
_2, _13, _11, _15, _18, _16 = I(2), I(13), I(11), I(15), I(18), I(16)


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
    return np.int32(np.int32(a + np.int32(I(1) << np.int32(bits - I(1)))) >> bits)


@inlined
def _odd(a, b, c, d):
    """Return the sums of the odd half of both transforms."""
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
def _forward(d0, d1, d2, d3, d4, d5, d6, d7, bits):
    t0, t7, t1, t6 = _add(d0, d7), _sub(d0, d7), _add(d1, d6), _sub(d1, d6)
    t2, t5, t3, t4 = _add(d2, d5), _sub(d2, d5), _add(d3, d4), _sub(d3, d4)
    t10, t13, t11, t12 = _add(t0, t3), _sub(t0, t3), _add(t1, t2), _sub(t1, t2)
    z1 = _mul(_add(t12, t13), _0_541)
    e2 = _descale(_add(z1, _mul(t13, _0_765)), bits)
    e6 = _descale(_sub(z1, _mul(t12, _1_847)), bits)
    o7, o5, o3, o1 = _odd(t4, t5, t6, t7)
    return (
        _add(t10, t11), _descale(o1, bits), e2, _descale(o3, bits), _sub(t10, t11), _descale(o5, bits), e6, _descale(o7, bits)
    )


@inlined
def _inverse(c0, c1, c2, c3, c4, c5, c6, c7, bits):
    z1 = _mul(_add(c2, c6), _0_541)
    t2, t3 = _sub(z1, _mul(c6, _1_847)), _add(z1, _mul(c2, _0_765))
    t0, t1 = np.int32(_add(c0, c4) << _13), np.int32(_sub(c0, c4) << _13)
    t10, t13, t11, t12 = _add(t0, t3), _sub(t0, t3), _add(t1, t2), _sub(t1, t2)
    o0, o1, o2, o3 = _odd(c7, c5, c3, c1)
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


@kernel
def _rows_forward(a, n):
    for i in range(n):
        r = _forward(a[8 * i], a[8 * i + 1], a[8 * i + 2], a[8 * i + 3], a[8 * i + 4], a[8 * i + 5], a[8 * i + 6], a[8 * i + 7], _11)
        a[8 * i] = np.int32(r[0] << _2)
        a[8 * i + 1] = r[1]
        a[8 * i + 2] = r[2]
        a[8 * i + 3] = r[3]
        a[8 * i + 4] = np.int32(r[4] << _2)
        a[8 * i + 5] = r[5]
        a[8 * i + 6] = r[6]
        a[8 * i + 7] = r[7]


@kernel
def _rows_inverse(a, n):
    for i in range(n):
        r = _inverse(a[8 * i], a[8 * i + 1], a[8 * i + 2], a[8 * i + 3], a[8 * i + 4], a[8 * i + 5], a[8 * i + 6], a[8 * i + 7], _18)
        a[8 * i] = r[0]
        a[8 * i + 1] = r[1]
        a[8 * i + 2] = r[2]
        a[8 * i + 3] = r[3]
        a[8 * i + 4] = r[4]
        a[8 * i + 5] = r[5]
        a[8 * i + 6] = r[6]
        a[8 * i + 7] = r[7]


@kernel
def _columns(a, blocks, steps, inverse_steps):
    for b in range(blocks):
        o = 64 * b
        for u in range(8):
            r = _forward(
                a[o + u], a[o + u + 8], a[o + u + 16], a[o + u + 24], a[o + u + 32], a[o + u + 40], a[o + u + 48], a[o + u + 56], _15
            )
            r = _inverse(
                _quantised(_descale(r[0], _2), steps[u], inverse_steps[u]),
                _quantised(r[1], steps[u + 8], inverse_steps[u + 8]),
                _quantised(r[2], steps[u + 16], inverse_steps[u + 16]),
                _quantised(r[3], steps[u + 24], inverse_steps[u + 24]),
                _quantised(_descale(r[4], _2), steps[u + 32], inverse_steps[u + 32]),
                _quantised(r[5], steps[u + 40], inverse_steps[u + 40]),
                _quantised(r[6], steps[u + 48], inverse_steps[u + 48]),
                _quantised(r[7], steps[u + 56], inverse_steps[u + 56]),
                _11,
            )
            a[o + u] = r[0]
            a[o + u + 8] = r[1]
            a[o + u + 16] = r[2]
            a[o + u + 24] = r[3]
            a[o + u + 32] = r[4]
            a[o + u + 40] = r[5]
            a[o + u + 48] = r[6]
            a[o + u + 56] = r[7]


@inlined
def _quantised(value: np.int32, step: np.int32, inverse: np.float32) -> np.int32:
    """Return a coefficient, which is 8 times too large, in whole steps."""
    size = np.int32((np.float32(abs(value)) + np.float32(_add(_mul(step, I(4)), I(0))) + np.float32(0.5)) * inverse)
    size = _mul(size, step)
    return size if value >= I(0) else np.int32(-size)


@kernel
def _coded(rows, width, steps, inverse_steps, a):
    """Code 8 rows (8, width)."""
    blocks = width // 8
    for b in range(blocks):
        for y in range(8):
            row = rows[y]
            for x in range(8):
                a[64 * b + 8 * y + x] = np.int32(np.int32(row[8 * b + x]) - np.int32(128))
    _rows_forward(a, 8 * blocks)
    _columns(a, blocks, steps, inverse_steps)
    _rows_inverse(a, 8 * blocks)
    for b in range(blocks):
        for y in range(8):
            row = rows[y]
            for x in range(8):
                row[8 * b + x] = np.uint8(min(max(np.int32(a[64 * b + 8 * y + x] + np.int32(128)), np.int32(0)), np.int32(255)))


@kernel
def _luma_row(r, g, b, out, width):
    for x in range(width):
        v = I(I(I(I(r[x]) * I(19595)) + I(I(g[x]) * I(38470))) + I(I(I(b[x]) * I(7471)) + I(32768)))
        out[x] = np.uint8(v >> _16)


@kernel
def _chroma_row(r, g, b, out, width, cr, cg, cb):
    for x in range(width):
        v = I(I(I(I(r[x]) * cr) + I(I(g[x]) * cg)) + I(I(I(b[x]) * cb) + I(8421375)))
        out[x] = np.uint8(v >> _16)


@kernel
def _halved(one, other, out, n):
    """Average 2x2."""
    for x in range(n):
        bias = I(1) + I(I(x) & I(1))
        s = I(I(I(one[2 * x]) + I(one[2 * x + 1])) + I(I(other[2 * x]) + I(other[2 * x + 1])))
        out[x] = np.uint8(I(s + bias) >> _2)


@kernel
def _doubled(near, far, out, s, n):
    """Triangle filter."""
    for x in range(n):
        s[x] = I(I(I(near[x]) * I(3)) + I(far[x]))
    s[n] = s[n - 1]
    out[0] = np.uint8(I(I(s[0] * I(4)) + I(8)) >> I(4))
    for x in range(n - 1):
        out[2 * x + 1] = np.uint8(I(I(I(s[x] * I(3)) + s[x + 1]) + I(7)) >> I(4))
        out[2 * x + 2] = np.uint8(I(I(I(s[x + 1] * I(3)) + s[x]) + I(8)) >> I(4))
    out[2 * n - 1] = np.uint8(I(I(s[n - 1] * I(4)) + I(7)) >> I(4))


@kernel
def _rgb_row(luma, blue, red, r, g, b, width):
    for x in range(width):
        v = I(I(I(I(red[x]) - I(128)) * I(91881)) + I(32768)) >> _16
        r[x] = np.uint8(min(max(I(I(luma[x]) + I(v)), I(0)), I(255)))
    for x in range(width):
        v = I(I(I(I(blue[x]) - I(128)) * I(116130)) + I(32768)) >> _16
        b[x] = np.uint8(min(max(I(I(luma[x]) + I(v)), I(0)), I(255)))
    for x in range(width):
        v = I(I(I(I(I(blue[x]) - I(128)) * I(-22554)) + I(32768)) + I(I(I(red[x]) - I(128)) * I(-46802))) >> _16
        g[x] = np.uint8(min(max(I(I(luma[x]) + I(v)), I(0)), I(255)))


@kernel
def _copy(source, to):
    for x in range(to.shape[0]):
        to[x] = source[x]


@kernel
def round_trip(planes, luma, chroma, steps, inverse_steps, work, wide):
    """planes (3,H,W) in place; luma (H8,W8) u8; chroma (2,Hc8,Wc8); steps (2,64) int32; work int32 (8*W8); wide u8 (2, >= 2*Wc8)."""
    height, width = planes.shape[1], planes.shape[2]
    wide_y, wide_c = luma.shape[1], chroma.shape[2]
    real_h, real_w = (height + 1) // 2, (width + 1) // 2
    for y in range(height):
        row = luma[y]
        _luma_row(planes[0, y], planes[1, y], planes[2, y], row, width)
        for x in range(width, wide_y):
            row[x] = row[width - 1]
    for y in range(height, luma.shape[0]):
        _copy(luma[height - 1], luma[y])
    for c in range(2):
        kr, kg, kb = (I(-11059), I(-21709), I(32768)) if c == 0 else (I(32768), I(-27439), I(-5329))
        for y in range(real_h):
            for k in range(2):
                at = min(2 * y + k, height - 1)
                row = wide[k]
                _chroma_row(planes[0, at], planes[1, at], planes[2, at], row, width, kr, kg, kb)
                for x in range(width, 2 * wide_c):
                    row[x] = row[width - 1]
            _halved(wide[0], wide[1], chroma[c, y], wide_c)
        for y in range(real_h, chroma.shape[1]):
            _copy(chroma[c, real_h - 1], chroma[c, y])
    for y in range(0, luma.shape[0], 8):
        _coded(luma[y : y + 8], wide_y, steps[0], inverse_steps[0], work)
    for c in range(2):
        for y in range(0, chroma.shape[1], 8):
            _coded(chroma[c, y : y + 8], wide_c, steps[1], inverse_steps[1], work)
    for y in range(height):
        near = y // 2
        far = min(max(near - 1 if y % 2 == 0 else near + 1, 0), real_h - 1)
        for c in range(2):
            if real_w > 2:
                _doubled(chroma[c, near], chroma[c, far], wide[c], work, real_w)
            else:
                for x in range(width):
                    wide[c, x] = chroma[c, near, x // 2]
        _rgb_row(luma[y], wide[0], wide[1], planes[0, y], planes[1, y], planes[2, y], width)
