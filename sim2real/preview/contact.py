"""The contact sheet of a report: small pictures of what training sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.view import CameraView
from sim2real.presets import load_preset, rig_spec
from sim2real.preview.overlays import HIDDEN, SEEN, SEEN_SHARE, Overlay
from sim2real.preview.tiles import fitted, save_png, sheet
from sim2real.stream import SimulatedFrames

_COLUMNS = 6
_TILE_PX = 240


def write_preview(rig: Rig, randomization: str | None, out: Path, frames: int, seed: int) -> None:
    """Write a sheet whose first picture is the nominal world; keypoints are ringed, hidden ones in red.

    Raises:
        InputError: no such preset, or a file that cannot be written.
    """
    stream = SimulatedFrames(rig, rig_spec(rig, load_preset(randomization or rig.preset)), seed)
    worlds = [nominal_world(rig), *(stream.world(k) for k in range(frames - 1))]
    batch = stream.draw_worlds(worlds)
    stream.close()
    view = CameraView.of(rig).resized(*rig.input_size_px)
    tiles = []
    for picture, points, shares in zip(batch.rgb, batch.keypoints_px, batch.visible, strict=True):
        height = round(picture.shape[0] * _TILE_PX / picture.shape[1])
        overlay = Overlay(fitted(np.ascontiguousarray(picture), _TILE_PX, height), view)
        for point, share in zip(overlay.scaled(points), shares, strict=True):
            overlay.ring(point, SEEN if share > SEEN_SHARE else HIDDEN)
        tiles.append(overlay.picture)
    save_png(sheet([tiles[k : k + _COLUMNS] for k in range(0, len(tiles), _COLUMNS)]), out)
