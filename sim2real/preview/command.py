"""The command: check what was asked for, draw the sheet, write it."""

from __future__ import annotations

import logging
from pathlib import Path

from calibration.errors import InputError
from calibration.rig import Rig
from calibration.rig_file import load_rig
from envs.rendering.choice import make_renderer
from sim2real.configs import PreviewConfig
from sim2real.presets import load_preset, rig_spec
from sim2real.preview.photographs import TILE_PX, photographs_sheet
from sim2real.preview.tiles import Picture, save_png
from sim2real.preview.worlds import tile_size, worlds_sheet
from sim2real.realdata import load_real

_log = logging.getLogger(__name__)

_WORLDS, _PHOTOGRAPHS = 9, 6
_MOST_FRAMES = 100
_SIZES_PX = (32, 4096)
_MOST_MEGAPIXELS = 150
_ASPECT_TOLERANCE = 0.01


def preview(config: PreviewConfig) -> Path:
    """Write the sheet and return its path.

    Raises:
        InputError: bad rig, preset, folder or size, or a file that exists.
    """
    if config.out.exists() and not config.overwrite:
        raise InputError(f"preview must be a new file, {config.out} exists; add --overwrite or choose another --out")
    if config.out.suffix.lower() != ".png":
        raise InputError(f"--out must name a .png file, got {config.out}")
    if config.frames is not None and not 1 <= config.frames <= _MOST_FRAMES:
        raise InputError(f"frames must be 1 to {_MOST_FRAMES}, got {config.frames}")
    low, high = _SIZES_PX
    if config.size is not None and not all(low <= side <= high for side in config.size):
        raise InputError(f"size must be width and height, {low} to {high} pixels each, got {config.size}")
    if config.against is None and config.camera == "aligned":
        raise InputError("--camera aligned needs photographs to align on; name their folder with --against")
    if config.against is not None and config.randomization is not None:
        raise InputError("--against draws the nominal world; leave out --randomization, or make a second sheet with it")
    rig = load_rig(config.rig)
    _check_size(rig, config)
    save_png(_worlds(rig, config) if config.against is None else _photographs(rig, config, config.against), config.out)
    return config.out


def _check_size(rig: Rig, config: PreviewConfig) -> None:
    """Check the shape of the pictures and that the sheet stays within what viewers open."""
    if config.against is None:
        width, height = tile_size(*(config.size or rig.input_size_px))
        tiles = 4 + 2 * (config.frames or _WORLDS)
    else:
        wide, high = rig.camera.image_size_px
        width, height = config.size or (TILE_PX, round(TILE_PX * high / wide))
        tiles = 5 * (config.frames or _PHOTOGRAPHS)
        if abs(width * high - height * wide) > _ASPECT_TOLERANCE * width * high:
            raise InputError(f"size must have the shape of the photographs, {wide}x{high}, got {width}x{height}")
    millions = tiles * width * height / 1e6
    if millions > _MOST_MEGAPIXELS:
        limit = f"the sheet must have at most {_MOST_MEGAPIXELS} million pixels, got {millions:.0f}"
        raise InputError(f"{limit}; choose fewer --frames or a smaller --size")


def _worlds(rig: Rig, config: PreviewConfig) -> Picture:
    spec = rig_spec(rig, load_preset(config.randomization or rig.preset))
    renderer = make_renderer(rig, config.renderer)
    try:
        return worlds_sheet(
            rig, spec, renderer, config.frames or _WORLDS, config.seed, config.size or rig.input_size_px
        )
    finally:
        renderer.close()


def _photographs(rig: Rig, config: PreviewConfig, folder: Path) -> Picture:
    data = load_real(folder, rig)
    for name, reason in (*data.left_out, *data.faulty):
        _log.warning("left out %s: %s", name, reason)
    if not data.frames:
        raise InputError(f"{folder} must hold a photograph with a visible target, found none in its labels.csv")
    renderer = make_renderer(rig, config.renderer)
    try:
        return photographs_sheet(
            rig, data, renderer, config.frames or _PHOTOGRAPHS, config.camera == "aligned", config.size
        )
    finally:
        renderer.close()
