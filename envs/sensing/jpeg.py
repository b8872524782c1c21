"""What JPEG makes of a picture (ITU-T T.81): all of the codec but its lossless part, bit for bit as libjpeg."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.sensing.cosine import STRIDE, Ints, forward_columns, forward_row, inverse_columns, inverse_row
from envs.sensing.exact import inlined, kernel, part

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

_I = np.int32
_ZERO, _ONE, _TWO, _THREE, _FOUR, _SEVEN, _EIGHT = _I(0), _I(1), _I(2), _I(3), _I(4), _I(7), _I(8)
_MIDDLE, _WHITE = _I(128), _I(255)
# Colours in steps of 2^-16 (JFIF 1.02).
_STEP, _HALF_STEP = _I(16), _I(32768)
_Y_RED, _Y_GREEN, _Y_BLUE = _I(19595), _I(38470), _I(7471)
_CB_RED, _CB_GREEN, _CR_GREEN, _CR_BLUE = _I(-11059), _I(-21709), _I(-27439), _I(-5329)
_CHROMA_OFFSET = _I((128 << 16) + 32767)
_RED_CR, _GREEN_CR, _GREEN_CB, _BLUE_CB = _I(91881), _I(-46802), _I(-22554), _I(116130)
_F4, _F_HALF = np.float32(4.0), np.float32(0.5)
# Row transforms take sixteen blocks at once, or eight at the cost of sixteen.
_AT_ONCE, _WORTH = 16, 8


@kernel
def round_trip(planes: Bytes, luma: Bytes, chroma: Bytes, steps: Floats, work: Ints, wide: Bytes) -> None:
    """Code and decode the planes (3, H, W) of red, green and blue in place; colour has half the resolution.

    Args:
        planes: the picture.
        luma: scratch (H, W), both rounded up to whole eights.
        chroma: scratch (2, H / 2, W / 2), both rounded up to whole eights.
        steps: (2, 8, 2, STRIDE): of brightness and colour, for each row and column of a block, the step of a
            coefficient, and 1 / 8 of its inverse; repeated along the last axis.
        work: scratch (8 * STRIDE + chroma's width + 1,), and at least chroma's width.
        wide: scratch (2, 2 * chroma's width).
    """
    height, width = planes.shape[1], planes.shape[2]
    half_height, half_width = (height + 1) // 2, (width + 1) // 2
    _to_luma(planes, luma)
    for c in range(2):
        _to_chroma(planes, chroma[c], c, wide)
    _code(luma, steps[0], work)
    for c in range(2):
        _code(chroma[c], steps[1], work)
    for y in range(height):
        near = y // 2
        far = min(max(near - 1 if y % 2 == 0 else near + 1, 0), half_height - 1)
        for c in range(2):
            # libjpeg does not interpolate what is this narrow.
            if half_width > 2:
                _doubled(chroma[c, near], chroma[c, far], wide[c], work, half_width)
            else:
                for x in range(width):
                    wide[c, x] = chroma[c, near, x // 2]
        _to_rgb(luma[y], wide[0], wide[1], planes[0, y], planes[1, y], planes[2, y])


@inlined
def _clipped(value: np.int32) -> np.uint8:
    return np.uint8(min(max(value, _ZERO), _WHITE))


@inlined
def _add(a: np.int32, b: np.int32) -> np.int32:
    return np.int32(a + b)


@inlined
def _mul(a: np.int32, b: np.int32) -> np.int32:
    return np.int32(a * b)


@part
def _copy(source: Bytes, to: Bytes) -> None:
    for x in range(to.shape[0]):
        to[x] = source[x]


@inlined
def _repeat_last(row: Bytes, width: int) -> None:
    for x in range(width, row.shape[0]):
        row[x] = row[width - 1]


@part
def _weighted(
    planes: Bytes, y: int, out: Bytes, red: np.int32, green: np.int32, blue: np.int32, offset: np.int32
) -> None:
    r, g, b = planes[0, y], planes[1, y], planes[2, y]
    for x in range(r.shape[0]):
        v = _add(_add(_mul(_I(r[x]), red), _mul(_I(g[x]), green)), _add(_mul(_I(b[x]), blue), offset))
        out[x] = np.uint8(v >> _STEP)
    _repeat_last(out, r.shape[0])


@part
def _to_luma(planes: Bytes, luma: Bytes) -> None:
    height = planes.shape[1]
    for y in range(height):
        _weighted(planes, y, luma[y], _Y_RED, _Y_GREEN, _Y_BLUE, _HALF_STEP)
    for y in range(height, luma.shape[0]):
        _copy(luma[height - 1], luma[y])


@part
def _to_chroma(planes: Bytes, chroma: Bytes, c: int, wide: Bytes) -> None:
    """Write blue (c = 0) or red (1) less brightness, the mean of two by two pixels."""
    height = planes.shape[1]
    half = (height + 1) // 2
    for y in range(half):
        for k in range(2):
            at = min(2 * y + k, height - 1)
            if c == 0:
                _weighted(planes, at, wide[k], _CB_RED, _CB_GREEN, _HALF_STEP, _CHROMA_OFFSET)
            else:
                _weighted(planes, at, wide[k], _HALF_STEP, _CR_GREEN, _CR_BLUE, _CHROMA_OFFSET)
        one, other, out = wide[0], wide[1], chroma[y]
        for x in range(out.shape[0]):
            total = _add(_add(_I(one[2 * x]), _I(one[2 * x + 1])), _add(_I(other[2 * x]), _I(other[2 * x + 1])))
            # Half goes down in even columns and up in odd ones.
            out[x] = np.uint8(_add(total, _add(_ONE, _I(_I(x) & _ONE))) >> _TWO)
    for y in range(half, chroma.shape[0]):
        _copy(chroma[half - 1], chroma[y])


@part
def _code(plane: Bytes, steps: Floats, work: Ints) -> None:
    """Transform blocks of a plane, round the coefficients to whole steps, and transform back."""
    for y in range(0, plane.shape[0], 8):
        for first in range(0, plane.shape[1], STRIDE):
            width = min(STRIDE, plane.shape[1] - first)
            blocks = width // 8
            if blocks % _AT_ONCE >= _WORTH:
                blocks = (blocks + _AT_ONCE - 1) // _AT_ONCE * _AT_ONCE
            for k in range(8):
                row, to = plane[y + k, first : first + width], work[STRIDE * k : STRIDE * k + width]
                for x in range(width):
                    to[x] = np.int32(_I(row[x]) - _MIDDLE)
                forward_row(work[STRIDE * k :], blocks)
            forward_columns(work, width)
            for k in range(8):
                _round_to_steps(work[STRIDE * k :], steps[k], width)
            inverse_columns(work, width)
            for k in range(8):
                inverse_row(work[STRIDE * k :], blocks)
                out, back = plane[y + k, first : first + width], work[STRIDE * k : STRIDE * k + width]
                for x in range(width):
                    out[x] = _clipped(np.int32(back[x] + _MIDDLE))


@part
def _round_to_steps(row: Ints, steps: Floats, width: int) -> None:
    """Round coefficients, which come in 8 times too large, to whole steps, half away from zero."""
    for x in range(width):
        step = steps[0, x]
        # Half more keeps a whole quotient clear of the rounding of single precision.
        count = _I((np.float32(abs(row[x])) + (_F4 * step + _F_HALF)) * steps[1, x])
        size = _I(np.float32(count) * step)
        row[x] = size if row[x] >= _ZERO else np.int32(-size)


@part
def _doubled(near: Bytes, far: Bytes, out: Bytes, work: Ints, count: int) -> None:
    """Write a row twice as long, 3 / 4 of each value from the nearer neighbour in either direction."""
    for x in range(count):
        work[x] = _add(_mul(_I(near[x]), _THREE), _I(far[x]))
    out[0] = np.uint8(_add(_mul(work[0], _FOUR), _EIGHT) >> _FOUR)
    for x in range(count - 1):
        out[2 * x + 1] = np.uint8(_add(_add(_mul(work[x], _THREE), work[x + 1]), _SEVEN) >> _FOUR)
        out[2 * x + 2] = np.uint8(_add(_add(_mul(work[x + 1], _THREE), work[x]), _EIGHT) >> _FOUR)
    out[2 * count - 1] = np.uint8(_add(_mul(work[count - 1], _FOUR), _SEVEN) >> _FOUR)


@part
def _to_rgb(luma: Bytes, blue: Bytes, red: Bytes, r: Bytes, g: Bytes, b: Bytes) -> None:
    for x in range(r.shape[0]):
        off = np.int32(_add(_mul(_I(_I(red[x]) - _MIDDLE), _RED_CR), _HALF_STEP) >> _STEP)
        r[x] = _clipped(_add(_I(luma[x]), off))
    for x in range(r.shape[0]):
        off = np.int32(_add(_mul(_I(_I(blue[x]) - _MIDDLE), _BLUE_CB), _HALF_STEP) >> _STEP)
        b[x] = _clipped(_add(_I(luma[x]), off))
    for x in range(r.shape[0]):
        off = _add(_mul(_I(_I(blue[x]) - _MIDDLE), _GREEN_CB), _mul(_I(_I(red[x]) - _MIDDLE), _GREEN_CR))
        g[x] = _clipped(_add(_I(luma[x]), np.int32(_add(off, _HALF_STEP) >> _STEP)))
