"""Write a data set of simulated frames, resumable, with the world of every frame so that it can be drawn again."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.records import from_plain, read_json, to_plain, write_json
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.world import WorldParams
from envs.labels import label_frame
from envs.rendering.choice import RendererName, make_renderer
from envs.rendering.renderer import Images, Renderer
from envs.sensing import measure_through
from sim2real.configs import CollectConfig
from sim2real.datasets.bop import BopWriter
from sim2real.datasets.coco import CocoWriter
from sim2real.datasets.files import JsonLines, keep_lines, remove_parts, whole_lines
from sim2real.datasets.folder import FolderWriter
from sim2real.datasets.writer import DatasetWriter
from sim2real.ledger import Ledger, LedgerWriter
from sim2real.presets import load_preset, rig_spec
from sim2real.progress import progress
from sim2real.randomization import WorldSampler
from sim2real.runs import CONFIG, RunFolder

logger = logging.getLogger(__name__)

WORLDS, CAMERA = "worlds.jsonl", "nominal_camera.json"
# What the index of the data set is made of; gone once it is.
_ENTRIES = "entries.jsonl"
_BATCH = 16
_LARGEST_SIDE_PX = 8192


def collect(config: CollectConfig) -> Path:
    """Write the data set and return its folder.

    A frame's files are on the disk and its entry of the index is written before its world: a frame whose world is in
    worlds.jsonl is complete. A finished data set is left as it is.

    Raises:
        InputError: bad rig, preset, size or number of frames, or a folder that is no unfinished collection.
    """
    _check(config)
    rig = load_rig(config.rig)
    spec = rig_spec(rig, load_preset(config.randomization or rig.preset))
    nominal = nominal_world(rig)
    sampler = WorldSampler(spec, nominal)
    writer = _writer(config, rig, nominal)
    camera = writer.camera(rig.camera.intrinsics().resized(*(config.size or rig.input_size_px)))
    run = RunFolder.create(config.out, config, config.resume)
    if run.finished:
        (config.out / _ENTRIES).unlink(missing_ok=True)
        logger.info("%s is finished already", config.out)
        return config.out
    remove_parts(config.out)
    done = _done(config.out)
    write_json(config.out / CAMERA, to_plain(camera))
    writer.prepare(camera)
    entries = JsonLines(config.out / _ENTRIES)
    with (
        LedgerWriter(config.out / WORLDS, rig, spec, config.seed) as ledger,
        _renderer(rig, config.renderer) as renderer,
        progress("collect", config.frames, "frames", done) as advance,
    ):
        for first in range(done, config.frames, _BATCH):
            numbers = range(first, min(first + _BATCH, config.frames))
            worlds = [writer.world(sampler.sample(config.seed, k)) for k in numbers]
            images = draw_images(renderer, worlds, camera)
            added = []
            for k, (number, world) in enumerate(zip(numbers, worlds, strict=True)):
                added.append(writer.add(number, images.rgb[k], label_frame(rig, world, images, k)))
                advance(number + 1)
            # All files of these frames reach the disk before a line says that they are there.
            os.sync()
            for number, world, entry in zip(numbers, worlds, added, strict=True):
                entries.append(entry)
                ledger.write(number, world)
    writer.finish(entries)
    run.finish({"frames": config.frames, "format": config.format})
    (config.out / _ENTRIES).unlink()
    return config.out


def draw_images(renderer: Renderer, worlds: Sequence[WorldParams], camera: CameraIntrinsics) -> Images:
    """Return pictures of worlds as lens and sensor deliver them; depth, segmentation and normals are the true ones."""
    images = renderer.render(worlds, camera)
    rgb = [
        measure_through(picture, depth, view.intrinsics, w.lens, w.sensor, w.noise_seed)
        for picture, depth, view, w in zip(images.rgb, images.depth_m, images.views, worlds, strict=True)
    ]
    return replace(images, rgb=np.stack(rgb))


def draw_again(folder: Path, numbers: Sequence[int]) -> tuple[list[WorldParams], Images]:
    """Return worlds and pictures of frames of a data set that `collect` wrote, equal bit for bit.

    Raises:
        InputError: no data set, a ledger that cannot be read, or no frame of this number.
    """
    settings = from_plain(CollectConfig, read_json(folder / CONFIG), str(folder / CONFIG))
    camera = from_plain(CameraIntrinsics, read_json(folder / CAMERA), str(folder / CAMERA))
    ledger = Ledger(folder / WORLDS)
    for number in numbers:
        if number not in ledger.indices:
            raise InputError(f"frame must be one of the {len(ledger)} in {folder / WORLDS}, got {number}")
    worlds = [ledger.read(number) for number in numbers]
    with _renderer(load_rig(settings.rig), settings.renderer) as renderer:
        return worlds, draw_images(renderer, worlds, camera)


def _check(config: CollectConfig) -> None:
    if config.frames < 1:
        raise InputError(f"frames must be 1 or more, got {config.frames}")
    if config.seed < 0:
        raise InputError(f"seed must be 0 or more, got {config.seed}")
    if config.size is not None and not all(1 <= side <= _LARGEST_SIDE_PX for side in config.size):
        raise InputError(f"--size must be 1 to {_LARGEST_SIDE_PX} pixels each, got {config.size[0]} {config.size[1]}")


def _writer(config: CollectConfig, rig: Rig, nominal: WorldParams) -> DatasetWriter:
    if config.format == "folder":
        return FolderWriter(config.out, rig)
    if config.format == "coco":
        return CocoWriter(config.out, rig, nominal, config.segmentation)
    return BopWriter(config.out, rig, nominal)


@contextmanager
def _renderer(rig: Rig, name: RendererName) -> Iterator[Renderer]:
    renderer = make_renderer(rig, name)
    try:
        yield renderer
    finally:
        renderer.close()


def _done(out: Path) -> int:
    """Return how many frames are complete; what was begun of others is forgotten."""
    worlds = max(whole_lines(out / WORLDS) - 1, 0)
    done = min(worlds, whole_lines(out / _ENTRIES))
    keep_lines(out / WORLDS, done + 1 if whole_lines(out / WORLDS) else 0)
    keep_lines(out / _ENTRIES, done)
    return done
