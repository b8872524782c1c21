"""The way of a picture through glass and sensor, row by row in one pass, without counted electrons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.sensing.blur import blur_across, blur_down
from envs.sensing.elementary import exp2, log2
from envs.sensing.exact import inlined, kernel, part, whole
from envs.sensing.light import Float
from envs.sensing.normal import fill_normal, room_for

Picture = NDArray[np.uint8]

# Entries of the settings.
MATRIX, OFFSET, KNEE, GAMMA, BRIGHT, VEIL, VIGNETTING, NOISE, GRAIN, SETTINGS = 0, 9, 10, 11, 12, 13, 14, 15, 16, 17
# Rows of the scratch memory: three channels, uneven light, glass, the row in the making (3 rows), noise, grain.
RED, LIGHT, GLASS, LINE, RANDOM, COARSE = 0, 3, 4, 5, 8, 12
SCRATCH_ROWS = 16
# Rows are worked on in whole vectors; what lies beyond their ends is of no use.
SPARE = 64

_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
_LOG2_E = np.float32(1.4426950408889634)
_WHITE = np.float32(255.0)


@kernel
def develop(
    rgb: Picture,
    planes: Picture,
    grid: Float,
    down: Float,
    across: Float,
    settings: Float,
    taps: Float,
    scratch: Float,
    padded: Float,
    ring: Float,
    keys: NDArray[np.uint32],
) -> None:
    """Write the grey levels (3, H, W) that the sensor makes of a picture (H, W, 3).

    Args:
        rgb: contiguous.
        planes: the result.
        grid: (4, 5), gains of uneven light; without rows there is none.
        down: (H, 4), weights of the grid's rows.
        across: (5, W), weights of its columns.
        settings: (SETTINGS,), by the constants of this module.
        taps: half a kernel of blur, from its middle on.
        scratch: (SCRATCH_ROWS, W + SPARE).
        padded: (3, W + 2 * (taps - 1) + SPARE).
        ring: (rows, 3 * W + SPARE), rows at least 2 * taps - 1 or H.
        keys: (4,), of the noise and of the grain.
    """
    height, width = rgb.shape[0], rgb.shape[1]
    reach = taps.shape[0] - 1
    line = scratch.reshape(-1)[LINE * scratch.shape[1] :][: whole(3 * width)]
    done, fresh, here, size = 0, 0, 0, ring.shape[0]
    stride = padded.shape[1]
    for y in range(height):
        if reach == 0:
            _tone_row(rgb, y, line, width, 0, grid, down, across, settings, scratch)
        else:
            while done < height and done <= y + reach:
                _tone_row(rgb, done, padded.reshape(-1), stride, reach, grid, down, across, settings, scratch)
                blur_across(padded, ring[fresh], taps, width)
                done += 1
                fresh = fresh + 1 if fresh + 1 < size else 0
            blur_down(ring, line, taps, y, here, height)
            here = here + 1 if here + 1 < size else 0
        finish_row(line, width, planes, y, settings[NOISE], settings[GRAIN], scratch, keys)


@part
def _tone_row(
    rgb: Picture,
    y: int,
    out: Float,
    stride: int,
    start: int,
    grid: Float,
    down: Float,
    across: Float,
    settings: Float,
    scratch: Float,
) -> None:
    """Write row y, on a scale to 255, after gains, tone, vignetting and haze; channel c from c * stride + start on."""
    width = rgb.shape[1]
    _split_row(rgb, y, scratch)
    if grid.shape[0] > 0:
        _light_row(scratch, grid, down[y], across, width)
    length = whole(width)
    red, green, blue, glass = scratch[RED], scratch[RED + 1], scratch[RED + 2], scratch[GLASS, :length]
    _glass_row(glass, y, width, rgb.shape[0], settings[BRIGHT], settings[VIGNETTING])
    veil, gamma, knee = settings[VEIL], settings[GAMMA], settings[KNEE]
    for c in range(3):
        a, b, d = settings[MATRIX + 3 * c], settings[MATRIX + 3 * c + 1], settings[MATRIX + 3 * c + 2]
        offset = settings[OFFSET]
        to = out[c * stride + start :][:length]
        for x in range(length):
            to[x] = a * red[x] + b * green[x] + d * blue[x] + offset
        if knee < _ONE:
            _roll_off(to, knee)
        if gamma == _ONE:
            for x in range(length):
                to[x] = min(max(to[x], _ZERO), _ONE) * glass[x] + veil
        else:
            for x in range(length):
                value = min(max(to[x], _ZERO), _ONE)
                power = exp2(gamma * log2(value))
                to[x] = (power if value > _ZERO else _ZERO) * glass[x] + veil


@part
def _split_row(rgb: Picture, y: int, scratch: Float) -> None:
    """Write the three channels of a row into the first rows of the scratch memory."""
    row, width = rgb[y].reshape(-1), rgb.shape[1]
    red, green, blue = scratch[RED], scratch[RED + 1], scratch[RED + 2]
    # Beyond the end of a row lies the next one.
    for x in range(min(whole(width), width * (rgb.shape[0] - y))):
        red[x] = np.float32(row[3 * x])
        green[x] = np.float32(row[3 * x + 1])
        blue[x] = np.float32(row[3 * x + 2])


@inlined
def _mixed(grid: Float, down: Float, k: int) -> np.float32:
    return np.float32(down[0] * grid[0, k] + down[1] * grid[1, k] + down[2] * grid[2, k] + down[3] * grid[3, k])


@part
def _light_row(scratch: Float, grid: Float, down: Float, across: Float, width: int) -> None:
    """Multiply the three channels of a row by uneven light."""
    light = scratch[LIGHT]
    v0, v1, v2, v3, v4 = (
        _mixed(grid, down, 0),
        _mixed(grid, down, 1),
        _mixed(grid, down, 2),
        _mixed(grid, down, 3),
        _mixed(grid, down, 4),
    )
    a0, a1, a2, a3, a4 = across[0], across[1], across[2], across[3], across[4]
    for x in range(width):
        light[x] = v0 * a0[x] + v1 * a1[x] + v2 * a2[x] + v3 * a3[x] + v4 * a4[x]
    for c in range(3):
        channel = scratch[RED + c, :width]
        for x in range(width):
            channel[x] *= light[x]


@inlined
def _glass_row(glass: Float, y: int, width: int, height: int, bright: np.float32, vignetting: np.float32) -> None:
    cx, cy = np.float32(0.5) * np.float32(width - 1), np.float32(0.5) * np.float32(height - 1)
    falls = vignetting / max(cx * cx + cy * cy, np.float32(1e-9))
    dy = np.float32(y) - cy
    for x in range(glass.shape[0]):
        dx = np.float32(np.int32(x)) - cx
        glass[x] = bright * (_ONE - falls * (dx * dx + dy * dy))


@part
def _roll_off(to: Float, knee: np.float32) -> None:
    room = _ONE - knee
    for x in range(to.shape[0]):
        value = to[x]
        above = max(value - knee, _ZERO)
        to[x] = min(value, knee) + room * (_ONE - exp2(above * (-_LOG2_E / room)))


@part
def finish_row(
    line: Float,
    width: int,
    planes: Picture,
    y: int,
    noise: np.float32,
    grain: np.float32,
    scratch: Float,
    keys: NDArray[np.uint32],
) -> None:
    """Write row y of the planes (3, H, W): a row (3 * W,) on a scale to 255 plus noise and grain, rounded, clipped.

    Grain is of two by two pixels; it stays in the scratch memory from an even row to the next one.
    """
    stride = scratch.shape[1]
    flat = scratch.reshape(-1)
    if noise > _ZERO:
        random = flat[RANDOM * stride :]
        fill_normal(random, 3 * width, y * room_for(3 * width), keys[0], keys[1], noise)
        for x in range(line.shape[0]):
            line[x] += random[x]
    if grain > _ZERO:
        spread = flat[COARSE * stride :]
        if y % 2 == 0:
            random = flat[RANDOM * stride :]
            half = (width + 1) // 2
            fill_normal(random, 3 * half, y // 2 * room_for(3 * half), keys[2], keys[3], grain)
            for c in range(3):
                one, two = random[c * half :][:half], spread[c * width :][:width]
                for x in range(width // 2):
                    two[2 * x] = one[x]
                    two[2 * x + 1] = one[x]
                two[width - 1] = one[half - 1]
        for x in range(line.shape[0]):
            line[x] += spread[x]
    for c in range(3):
        values, out = line[c * width :], planes[c, y]
        for x in range(width):
            out[x] = np.uint8(np.int32(min(max(values[x] + _HALF, _ZERO), _WHITE)))


@kernel
def finish(
    display: Float,
    planes: Picture,
    noise: np.float32,
    grain: np.float32,
    scratch: Float,
    keys: NDArray[np.uint32],
) -> None:
    """Write the grey levels (3, H, W) of display values (H, W, 3), contiguous, with noise and grain; see `develop`."""
    width = display.shape[1]
    line = scratch.reshape(-1)[LINE * scratch.shape[1] :][: whole(3 * width)]
    for y in range(display.shape[0]):
        row = display[y].reshape(-1)
        for c in range(3):
            to = line[c * width :]
            for x in range(width):
                to[x] = _WHITE * row[3 * x + c]
        finish_row(line, width, planes, y, noise, grain, scratch, keys)


@kernel
def channel_means(
    rgb: Picture, grid: Float, down: Float, across: Float, scratch: Float, means: NDArray[np.float64]
) -> None:
    """Write the means (3,), 0 to 1, of the channels of a picture under uneven light; see `develop`."""
    height, width = rgb.shape[0], rgb.shape[1]
    for c in range(3):
        total = scratch[LINE + c]
        for x in range(width):
            total[x] = _ZERO
    for y in range(height):
        _split_row(rgb, y, scratch)
        if grid.shape[0] > 0:
            _light_row(scratch, grid, down[y], across, width)
        for c in range(3):
            total, row = scratch[LINE + c], scratch[RED + c]
            for x in range(width):
                total[x] += row[x]
    for c in range(3):
        total, whole = scratch[LINE + c], 0.0
        for x in range(width):
            whole += np.float64(total[x])
        means[c] = whole / (255.0 * height * width)
