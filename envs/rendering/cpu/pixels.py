"""From which triangle is seen at each sample to pictures, depth, segments and normals."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.rendering.cpu.background import background_row, tint_row
from envs.rendering.cpu.compiled import inlined, kernel
from envs.rendering.cpu.raster import HALF, ONE, ZERO, nearness_at
from envs.rendering.cpu.shading import drop_block, shade_block
from envs.rendering.cpu.surface import BLOCK, DEPTH, NX, NY, NZ, SEGMENT, add_one, add_run, gather

_FULL = np.float32(255.0)
_INFINITY = np.float32(np.inf)
# In a pixel's list of triangles: one that was counted already.
_DONE = -2
# Pixels in a row of one triangle from which on they are written together.
_RUN = 4


@kernel
def shade_view(
    shapes: Any, views: Any, scratch: Any, out: Any, n: int, side: int, ifx: Any, ify: Any, cx: Any, cy: Any, size: int
) -> None:
    """Write view n; a pixel has `side` * `side` samples."""
    height, width = out.rgb.shape[1], out.rgb.shape[2]
    many = np.float32(side)
    normal = out.normal.shape[0] > 0
    filled, row, behind, tint = scratch.filled, scratch.row[0], scratch.row[1], scratch.row[2][: 3 * width]
    tint_row(views, tint, n)
    for k in range(side * side):
        scratch.ids[1, k], scratch.ids[2, k] = k % side, k // side
    for y in range(height):
        # The pixel's middle, in samples.
        py = (np.float32(y) + HALF) * many - HALF
        samples = scratch.owner[y * side * width * side : (y + 1) * side * width * side]
        depth, segment = out.depth_m[n, y], out.segment[n, y]
        count, gathered, x = 0, -1, 0
        row[:] = ZERO
        _find_filled(samples, filled, width, side)
        background_row(views, tint, behind, n, y, side, ifx, ify, cx, cy)
        while x < width or count > 0:
            if x >= width or count >= BLOCK:
                ready = min(count, BLOCK)
                shade_block(shapes, views, scratch, n, ready, size)
                if count > BLOCK:
                    drop_block(scratch)
                count -= ready
                continue
            px = (np.float32(x) + HALF) * many - HALF
            number = filled[x]
            stop, last = x + 1, min(width, x + BLOCK - count) if number >= 0 else width
            while stop < last and filled[np.uintp(stop)] == number:
                stop += 1
            if number == _DONE:
                for k in range(x, stop):
                    count, gathered = _mixed(
                        shapes, views, scratch, out, n, k, y, side, ifx, ify, cx, cy, count, gathered, normal
                    )
                    if count >= BLOCK:
                        stop = k + 1
                        break
            elif number < 0:
                for k in range(3 * x, 3 * stop):
                    row[k] = min(behind[k], ONE)
                for k in range(x, stop):
                    depth[k], segment[k] = _INFINITY, -1
                if normal:
                    for k in range(x, stop):
                        _write_normal(out, n, y, k, ZERO, ZERO, ZERO)
            else:
                if number != gathered:
                    gather(shapes, views, scratch, n, number, many)
                    gathered = number
                if stop - x >= _RUN:
                    add_run(scratch, count, x, px, py, many, ifx, ify, cx, cy)
                else:
                    for k in range(x, stop):
                        px = (np.float32(k) + HALF) * many - HALF
                        add_one(scratch, count + k - x, k, px, py, ONE, ifx, ify, cx, cy)
                _write_run(scratch, depth, segment, x, stop, count)
                if normal:
                    for k in range(x, stop):
                        lane, f = count + k - x, scratch.lanes
                        _write_normal(out, n, y, k, f[NX + lane], f[NY + lane], f[NZ + lane])
                count += stop - x
            x = stop
        _write_row(row, out, n, y)


@inlined
def _find_filled(samples: Any, filled: Any, width: int, side: int) -> None:
    """Write the triangle that fills each pixel of a row, or _DONE for one with several, from the row's samples."""
    if side == 1:
        for x in range(width):
            filled[x] = samples[x]
        return
    if side == 2:
        # The same as below, in a form that the compiler turns into vector instructions.
        upper, lower = samples[: 2 * width], samples[2 * width : 4 * width]
        for x in range(width):
            number = upper[np.uintp(2 * x)]
            same = (upper[np.uintp(2 * x + 1)] == number) & (lower[np.uintp(2 * x)] == number)
            same &= lower[np.uintp(2 * x + 1)] == number
            filled[x] = number if same else np.int32(_DONE)
        return
    for x in range(width):
        number, same = samples[np.uintp(x * side)], True
        for sy in range(side):
            at = (sy * width + x) * side
            for sx in range(side):
                same &= samples[np.uintp(at + sx)] == number
        filled[x] = number if same else np.int32(_DONE)


@inlined
def _write_run(scratch: Any, depth: Any, segment: Any, x: int, stop: int, count: int) -> None:
    """Write depth and segment of a run whose fragments begin at lane `count`."""
    number, lanes = np.int16(scratch.surface_number[SEGMENT]), scratch.lanes[DEPTH + count :]
    depth, segment = depth[x:stop], segment[x:stop]
    for k in range(len(depth)):
        depth[k] = lanes[k]
    for k in range(len(segment)):
        segment[k] = number


@inlined
def _mixed(
    shapes: Any, views: Any, scratch: Any, out: Any, n: int, x: int, y: int, side: int, ifx: Any, ify: Any, cx: Any,
    cy: Any, count: int, gathered: int, normal: bool,
) -> Any:  # fmt: skip
    """Add the fragments of a pixel with several triangles; return how many wait to be shaded, and what is gathered.

    Each triangle is shaded once, in the middle of its samples, and weighs as much as it covers. Depth, segment and
    normal are those of the nearest one at the pixel's middle; where none that has a sample reaches it, those of the
    one with most samples.
    """
    many = np.float32(side)
    share = ONE / (many * many)
    wide = out.rgb.shape[2] * side
    f, row, ids, across, down = scratch.lanes, scratch.row, scratch.ids[0], scratch.ids[1], scratch.ids[2]
    for k in range(side * side):
        ids[k] = scratch.owner[np.uintp((y * side + down[k]) * wide + x * side + across[k])]
    middle_x, middle_y = (np.float32(x) + HALF) * many - HALF, (np.float32(y) + HALF) * many - HALF
    nearest, most, empty = ZERO, 0, 0
    out.depth_m[n, y, x], out.segment[n, y, x] = _INFINITY, -1
    if normal:
        _write_normal(out, n, y, x, ZERO, ZERO, ZERO)
    for k in range(side * side):
        number = ids[k]
        if number == _DONE:
            continue
        covered, sum_x, sum_y = 0, 0, 0
        for j in range(k, side * side):
            if ids[j] == number:
                covered, sum_x, sum_y = covered + 1, sum_x + across[j], sum_y + down[j]
                ids[j] = _DONE
        weight = np.float32(covered) * share
        if number < 0:
            empty = covered
            for c in range(3):
                row[0, 3 * x + c] += weight * min(row[1, 3 * x + c], ONE)
            continue
        if number != gathered:
            gather(shapes, views, scratch, n, number, many)
            gathered = number
        px = np.float32(x * side) + np.float32(sum_x) / np.float32(covered)
        py = np.float32(y * side) + np.float32(sum_y) / np.float32(covered)
        add_one(scratch, count, x, px, py, weight, ifx, ify, cx, cy)
        near = nearness_at(scratch.record, number, middle_x, middle_y)
        if near > nearest or (nearest == ZERO and covered > most):
            out.depth_m[n, y, x] = ONE / near if near > ZERO else f[DEPTH + count]
            out.segment[n, y, x] = scratch.surface_number[SEGMENT]
            nearest, most = near, covered
            if normal:
                _write_normal(out, n, y, x, f[NX + count], f[NY + count], f[NZ + count])
        count += 1
    if nearest == ZERO and 2 * empty >= side * side:
        out.depth_m[n, y, x], out.segment[n, y, x] = _INFINITY, -1
        if normal:
            _write_normal(out, n, y, x, ZERO, ZERO, ZERO)
    return count, gathered


@inlined
def _write_row(row: Any, out: Any, n: int, y: int) -> None:
    pixels = out.rgb[n, y].reshape(-1)
    for k in range(len(pixels)):
        pixels[k] = np.uint8(np.int32(max(row[k], ZERO) * _FULL + HALF))


@inlined
def _write_normal(out: Any, n: int, y: int, x: int, nx: Any, ny: Any, nz: Any) -> None:
    out.normal[n, y, x, 0], out.normal[n, y, x, 1], out.normal[n, y, x, 2] = nx, ny, nz
