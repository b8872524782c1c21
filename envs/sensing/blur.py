"""Gaussian blur of rows as they come; beyond its edges the picture is mirrored on the outermost pixels."""

from __future__ import annotations

import numpy as np

from envs.sensing.exact import inlined, part, whole
from envs.sensing.light import Float


@part
def _three(out: Float, taps: Float, middle: Float, a: Float, b: Float) -> None:
    at, beside = taps[0], taps[1]
    for x in range(out.shape[0]):
        out[x] = at * middle[x] + beside * (a[x] + b[x])


@part
def _five(out: Float, taps: Float, middle: Float, a: Float, b: Float, c: Float, d: Float) -> None:
    at, beside, next_to = taps[0], taps[1], taps[2]
    for x in range(out.shape[0]):
        out[x] = at * middle[x] + beside * (a[x] + b[x]) + next_to * (c[x] + d[x])


@part
def _add_pair(out: Float, weight: np.float32, a: Float, b: Float) -> None:
    for x in range(out.shape[0]):
        out[x] += weight * (a[x] + b[x])


@inlined
def _mirrored(y: int, count: int) -> int:
    """Return the row that stands for row y beyond the edges, which are mirrors on the outermost rows."""
    if 0 <= y < count:
        return y
    if count == 1:
        return 0
    y = abs(y) % (2 * (count - 1))
    return min(y, 2 * (count - 1) - y)


@part
def blur_across(padded: Float, out: Float, taps: Float, width: int) -> None:
    """Write the three channels of a row, one after the other, blurred along the row.

    Args:
        padded: (3, as long as `develop` says), each channel from index `len(taps) - 1` on.
        out: (3 * W and room for a vector,).
        taps: half a kernel, from its middle on, two values or more.
        width: W.
    """
    reach = taps.shape[0] - 1
    for c in range(3):
        row = padded[c]
        for k in range(1, reach + 1):
            row[reach - k] = row[reach + _mirrored(-k, width)]
            row[reach + width - 1 + k] = row[reach + _mirrored(width - 1 + k, width)]
        to = out[c * width : c * width + whole(width)]
        if reach == 1:
            _three(to, taps, row[1:], row, row[2:])
        else:
            _five(to, taps, row[reach:], row[reach - 1 :], row[reach + 1 :], row[reach - 2 :], row[reach + 2 :])
        for k in range(3, reach + 1):
            _add_pair(to, taps[k], row[reach - k :], row[reach + k :])


@inlined
def _near(y: int, k: int, here: int, size: int, height: int) -> int:
    """Return the slot of row y + k of the picture in a ring of this size, in which row y is in slot `here`."""
    slot = here + _mirrored(y + k, height) - y
    if slot < 0:
        slot += size
    elif slot >= size:
        slot -= size
    return slot


@part
def blur_down(ring: Float, out: Float, taps: Float, y: int, here: int, height: int) -> None:
    """Write row y of the picture, blurred along its columns.

    Args:
        ring: rows of the picture, of which row y is in slot `here`: all that are in reach, each after the one above.
        out: as long as is to be written.
        taps: half a kernel, from its middle on, two values or more.
        y: the row.
        here: its slot.
        height: rows of the picture.
    """
    size = ring.shape[0]
    a, b = ring[_near(y, -1, here, size, height)], ring[_near(y, 1, here, size, height)]
    if taps.shape[0] == 2:
        _three(out, taps, ring[here], a, b)
    else:
        c, d = ring[_near(y, -2, here, size, height)], ring[_near(y, 2, here, size, height)]
        _five(out, taps, ring[here], a, b, c, d)
    for k in range(3, taps.shape[0]):
        _add_pair(out, taps[k], ring[_near(y, -k, here, size, height)], ring[_near(y, k, here, size, height)])
