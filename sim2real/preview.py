"""A contact sheet of drawn worlds: what training sees."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.records import write_bytes
from calibration.rig import Rig
from calibration.rig_file import load_rig
from sim2real.configs import PreviewConfig
from sim2real.presets import load_preset, rig_spec
from sim2real.stream import SimulatedFrames

_COLUMNS = 6
_TILE_WIDTH = 240
_GREEN, _RED = (60, 220, 60), (230, 60, 60)


def preview(config: PreviewConfig) -> Path:
    """Write the contact sheet and return its path.

    Raises:
        InputError: bad rig or preset, or a file that exists.
    """
    if config.out.exists() and not config.overwrite:
        raise InputError(f"preview must be a new file, {config.out} exists; add --overwrite or choose another --out")
    if config.out.suffix.lower() != ".png":
        raise InputError(f"--out must name a .png file, got {config.out}")
    if not 1 <= config.frames <= 600:
        raise InputError(f"frames must be 1 to 600, got {config.frames}")
    write_preview(load_rig(config.rig), config.randomization, config.out, config.frames, config.seed)
    return config.out


def write_preview(rig: Rig, randomization: str | None, out: Path, frames: int, seed: int) -> None:
    """Write a sheet whose first picture is the nominal world; keypoints are ringed, hidden ones in red."""
    stream = SimulatedFrames(rig, rig_spec(rig, load_preset(randomization or rig.preset)), seed)
    batch = stream.draw_worlds([nominal_world(rig), *(stream.world(k) for k in range(frames - 1))])
    stream.close()
    tiles = [
        _tile(picture, points, shares)
        for picture, points, shares in zip(batch.rgb, batch.keypoints_px, batch.visible, strict=True)
    ]
    columns = min(_COLUMNS, len(tiles))
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (math.ceil(len(tiles) / columns) * columns - len(tiles))
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(out, cv2.imencode(".png", np.vstack(rows)[..., ::-1])[1].tobytes())
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}") from None


def _tile(picture: NDArray[np.uint8], points: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    scale = _TILE_WIDTH / picture.shape[1]
    size = (_TILE_WIDTH, round(picture.shape[0] * scale))
    tile = cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_LINEAR)
    for point, share in zip(points, shares, strict=True):
        if np.isfinite(point).all():
            centre = (round((point[0] + 0.5) * scale - 0.5), round((point[1] + 0.5) * scale - 0.5))
            cv2.circle(tile, centre, 6, _GREEN if share > 0.12 else _RED, 1, cv2.LINE_AA)
    return np.asarray(cv2.copyMakeBorder(tile, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255)), np.uint8)
