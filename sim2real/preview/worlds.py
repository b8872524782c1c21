"""The sheet of worlds: the nominal one with all its labels, then randomized ones beside theirs."""

from __future__ import annotations

from calibration.kinematics import nominal_world
from calibration.rig import Rig
from envs.rendering.renderer import Renderer
from sim2real.preview.drawing import draw_labelled
from sim2real.preview.geometry_tiles import depth_tile, normals_tile
from sim2real.preview.overlays import label_overlay
from sim2real.preview.tiles import INK, Picture, captioned, fitted, lines_of_text, sheet
from sim2real.randomization import RandomizationSpec, WorldSampler

_TILE_PX = 480
_WIDEST_TILE_PX = 960
_COLUMNS = 4


def tile_size(width_px: int, height_px: int) -> tuple[int, int]:
    """Return width and height of a tile: whole multiples of the picture, near 480 wide; at most 960 wide."""
    factor = max(1, round(_TILE_PX / width_px))
    if factor * width_px > _WIDEST_TILE_PX:
        return _WIDEST_TILE_PX, max(1, round(height_px * _WIDEST_TILE_PX / width_px))
    return factor * width_px, factor * height_px


def worlds_sheet(
    rig: Rig, spec: RandomizationSpec, renderer: Renderer, frames: int, seed: int, size_px: tuple[int, int]
) -> Picture:
    """Return the sheet.

    The first row is the nominal world, drawn at the size of its tiles: picture, labels, depth, normals. Below are
    `frames` - 1 randomized worlds, drawn at `size_px` and enlarged: picture and labels, two worlds a row.

    Args:
        rig: the station.
        spec: what is randomized.
        renderer: of the rig.
        frames: worlds on the sheet.
        seed: of the worlds.
        size_px: width and height of the randomized pictures.
    """
    nominal = nominal_world(rig)
    sampler = WorldSampler(spec, nominal)
    width, height = tile_size(*size_px)
    camera = rig.camera.intrinsics()
    picture, labels = next(draw_labelled(rig, renderer, [nominal], camera.resized(width, height)))
    first = [
        captioned(picture, f"nominal world, {width} x {height}"),
        captioned(label_overlay(picture, rig, labels, detailed=True), "labels: masks, boxes in picture and space"),
        captioned(depth_tile(labels, width, height), "depth along the optical axis"),
        captioned(normals_tile(labels, width, height), "normals: red right, green up, blue to the camera"),
    ]
    randomization = f"randomization {spec.name}, seed {seed}, frames drawn at {size_px[0]} x {size_px[1]} pixels"
    title = f"rig {rig.name}: {rig.label.name} in frame {rig.label.frame}; {randomization}"
    rows = [[lines_of_text([(title, INK)], first[0].shape[1] * _COLUMNS)], first]
    worlds = [sampler.sample(seed, k) for k in range(frames - 1)]
    tiles: list[Picture] = []
    for k, (picture, labels) in enumerate(draw_labelled(rig, renderer, worlds, camera.resized(*size_px))):
        large = fitted(picture, width, height)
        overlay = label_overlay(large, rig, labels, detailed=False)
        tiles += [
            captioned(large, f"world {k}"),
            captioned(overlay, "labels; share of the keypoint's body that is seen"),
        ]
    rows += [tiles[k : k + _COLUMNS] for k in range(0, len(tiles), _COLUMNS)]
    return sheet(rows)
