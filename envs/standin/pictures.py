"""Labelled pictures of the held-out simulation, in the layout of a folder of photographs.

It is the same task with another camera pose, other looks and another sensor than the rig file says, drawn by
TinyRenderer, which training does not use. What it measures is the gap that parameters and renderers make.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.optics import SensorParams
from calibration.records import write_text
from calibration.rig import Rig
from calibration.world import (
    BackgroundParams,
    CameraParams,
    JointParams,
    LightParams,
    WorldParams,
)
from envs.labels import label_images
from envs.rendering.tiny import TinyRenderer
from envs.sensing import measure
from envs.standin.station import Station

COLUMNS = 8


def write_standin(rig: Rig, out: Path, frames: int, seed: int, station: Station | None = None) -> None:
    """Write `frames` labelled pictures of the held-out simulation in the layout of a folder of photographs.

    Objects stand in `COLUMNS` columns, from left to right, which are the groups of the split.

    Args:
        rig: as its file describes it.
        out: new folder.
        frames: how many.
        seed: of places, and of hidden values where no station is given.
        station: whose hidden values the pictures have; default: values that every kind of picture gap is in.

    Raises:
        InputError: the folder exists and is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError(f"folder for the held-out simulation must be new, got {out}")
    (out / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 4242])
    hidden = _hidden_world(rig, rng) if station is None else station.world(rig, nominal_world(rig))
    label = rig.label
    point_columns = label.point_columns or label.columns
    group = rig.data.group_column or "group"
    joint_columns = [j.column for j in rig.joints if j.column]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    visible_column = [rig.data.visible_column] if rig.data.visible_column else []
    writer.writerow([rig.data.image_column, group, *point_columns, *joint_columns, *visible_column])
    for k, drawn in enumerate(draw_pictures(rig, hidden, frames, rng)):
        name = f"images/{k:03d}.jpg"
        bgr = np.ascontiguousarray(drawn.picture[..., ::-1])
        cv2.imwrite(str(out / name), bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
        share = drawn.visible
        seen = "full" if share > 0.8 else "clipped" if share > 0.3 else "none"
        joints = [drawn.world.joint_positions()[j.name] for j in rig.joints if j.column]
        writer.writerow(
            [name, k % COLUMNS, *(f"{v:.5f}" for v in drawn.point_m), *joints, *([seen] if visible_column else [])]
        )
    write_text(out / "labels.csv", text.getvalue())


@dataclass(frozen=True, eq=False)
class Drawn:
    """One labelled picture of the held-out simulation.

    Attributes:
        picture: uint8 (H, W, 3), at the size of the rig's photographs.
        world: that was drawn.
        point_m: label point (3,) in the label's frame.
        visible: share of the least visible keypoint's body that is seen.
    """

    picture: NDArray[np.uint8]
    world: WorldParams
    point_m: NDArray[np.float64]
    visible: float


def draw_pictures(rig: Rig, hidden: WorldParams, frames: int, rng: np.random.Generator) -> Iterator[Drawn]:
    """Yield labelled pictures of a world; objects stand in `COLUMNS` columns in turn, at places drawn from `rng`."""
    width, height = rig.camera.image_size_px
    renderer = TinyRenderer(rig)
    try:
        for k in range(frames):
            world = _placed(rig, hidden, rng, k % COLUMNS)
            # Drawn at half size and enlarged: soft optics, and four times faster.
            images = renderer.render([world], rig.camera.intrinsics().resized(width // 2, height // 2))
            labels = label_images(rig, [world], images)
            large = cv2.resize(images.rgb[0], (width, height), interpolation=cv2.INTER_CUBIC)
            picture = measure(np.asarray(large, np.uint8), world.sensor, k)
            yield Drawn(picture, world, labels.points_m[0], float(labels.visible[0].min()))
    finally:
        renderer.close()


def _hidden_world(rig: Rig, rng: np.random.Generator) -> WorldParams:
    """Return the nominal world with looks, camera and sensor that no preset draws."""
    world = nominal_world(rig)
    bodies = []
    for body in world.bodies:
        if body.role == "surface":
            bodies.append(dataclasses.replace(body, rgb=(0.95, 0.85, 0.72), texture=f"planks:{rng.integers(100, 120)}"))
        elif body.role == "distractor":
            present = bool(rng.random() < 0.3)
            spot = rig.distractors
            assert spot is not None
            position = tuple(float(rng.uniform(*r)) for r in (spot.x_m, spot.y_m, spot.z_m))
            rgb = tuple(float(v) for v in rng.random(3))
            bodies.append(
                dataclasses.replace(
                    body,
                    present=present,
                    position_m=(position[0], position[1], position[2]),
                    rgb=(rgb[0], rgb[1], rgb[2]),
                )
            )
        else:
            bodies.append(body)

    def off(std: float) -> tuple[float, float, float]:
        x, y, z = rng.choice([-1.0, 1.0], 3) * rng.uniform(0.6, 1.0, 3) * std
        return float(x), float(y), float(z)

    camera = rig.camera
    change = CameraParams(off(camera.position_std_m), off(camera.rotation_std_rad / 2), 1 + 0.6 * camera.focal_std)
    sensor = SensorParams(
        exposure_ev=0.25,
        white_balance=(0.93, 1.0, 1.08),
        gamma=0.85,
        contrast=1.15,
        vignetting=0.3,
        blur_px=1.8,
        noise=4.0,
        jpeg_quality=70.0,
    )
    light = LightParams(
        azimuth_rad=-2.2, elevation_rad=0.9, rgb=(1.0, 0.97, 0.9), ambient=0.55, diffuse=0.5, specular=0.3
    )
    background = BackgroundParams((0.8, 0.85, 0.95), f"clutter:{rng.integers(100, 120)}")
    return dataclasses.replace(
        world, bodies=tuple(bodies), camera=change, sensor=sensor, light=light, background=background
    )


def _placed(rig: Rig, world: WorldParams, rng: np.random.Generator, column: int) -> WorldParams:
    """Return the world with objects and joints placed; `column` divides the first placement's y or range."""
    bodies = {b.name: b for b in world.bodies}
    joints = world.joint_positions()
    for number, p in enumerate(rig.placements):
        low, high = (column / COLUMNS, (column + 1) / COLUMNS) if number == 0 else (0.0, 1.0)
        share = float(rng.uniform(low, high))
        if p.body is not None and p.x_m and p.y_m and p.z_m:
            margin = 0.92
            y_mid, y_half = sum(p.y_m) / 2, (p.y_m[1] - p.y_m[0]) / 2 * margin
            x_mid, x_half = sum(p.x_m) / 2, (p.x_m[1] - p.x_m[0]) / 2 * margin
            position = (
                x_mid + x_half * float(rng.uniform(-1, 1)),
                y_mid + y_half * (1 - 2 * share),
                sum(p.z_m) / 2,
            )
            yaw = float(rng.uniform(*p.yaw_rad)) if p.yaw_rad[1] > p.yaw_rad[0] else p.yaw_rad[0]
            bodies[p.body] = dataclasses.replace(bodies[p.body], position_m=position, rpy_rad=(0.0, 0.0, yaw))
        elif p.joint is not None and p.range is not None:
            joints[p.joint] = p.range[0] + share * (p.range[1] - p.range[0])
    placed = tuple(JointParams(n, v) for n, v in joints.items())
    return dataclasses.replace(world, bodies=tuple(bodies.values()), joints=placed)
