"""Pictures of every axis of variation at its low end, nominal and at its high end, and a page that explains them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.kinematics import frame_matrices, nominal_world
from calibration.records import write_bytes, write_text
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.world import WorldParams, paths, with_values
from envs.scene_shapes import distractor_shape
from sim2real.axis_list import GROUPS, ZOOM, Axis
from sim2real.configs import AxesConfig
from sim2real.presets import load_preset, rig_spec
from sim2real.randomization import Channel
from sim2real.stream import SimulatedFrames

Picture = NDArray[np.uint8]

PRESET = "everything"
_TILE_PX = (168, 126)
_TEXT_PX = 16
_LONGEST = 27
_GAP_PX = 6
_COLUMNS = 2
_JPEG_QUALITY = 82
_SEED = 3
_BELOW, _ABOVE = 0.02, 0.98
# A ball among the distractors, which shows highlights.
_BALL = 4


@dataclass(frozen=True, eq=False)
class Strip:
    """One axis, drawn.

    Attributes:
        axis: what it is.
        path: which value of the world was changed.
        channel: what draws it, when something does.
        values: low, nominal and high; two for a switch.
        pictures: one for each value.
    """

    axis: Axis
    path: str
    channel: Channel | None
    values: tuple[Any, ...]
    pictures: tuple[Picture, ...]


def axes(config: AxesConfig) -> Path:
    """Write one sheet for each group of axes, and the page; return the page's path.

    Raises:
        InputError: bad rig, or a page that exists.
    """
    page = config.out / "randomization.md"
    if page.exists() and not config.overwrite:
        raise InputError(f"--out must hold no page yet, {page} exists; add --overwrite or choose another --out")
    rig = load_rig(config.rig)
    (config.out / "axes").mkdir(parents=True, exist_ok=True)
    strips = draw_axes(rig)
    for group, drawn in strips.items():
        if not drawn:
            continue
        ok, data = cv2.imencode(".jpg", sheet(drawn)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        assert ok
        write_bytes(config.out / "axes" / _file(group), data.tobytes())
    write_text(page, page_text(rig, strips))
    return page


def draw_axes(rig: Rig) -> dict[str, list[Strip]]:
    """Return the drawn axes of each group; those that the rig has not are left out."""
    spec = rig_spec(rig, load_preset(PRESET))
    strips: dict[str, list[Strip]] = {}
    for group, listed in GROUPS.items():
        zoom = ZOOM.get(group, 1.0)
        width, height = (round(zoom * side) for side in _TILE_PX)
        frames = SimulatedFrames(rig, spec, _SEED, rig.input_camera().resized(width, height), depth=True)
        try:
            world = dressed(rig, frames)
            drawn = [_strip(axis, rig, world, frames, group) for axis in listed]
            strips[group] = [strip for strip in drawn if strip is not None]
        finally:
            frames.close()
    return strips


def dressed(rig: Rig, frames: SimulatedFrames) -> WorldParams:
    """Return the nominal world in a room, with textures on surfaces, and four distractors and a ball."""
    drawn = paths(frames.world(0))
    nominal = nominal_world(rig)
    values: dict[str, Any] = {"background.texture": "sky:8", "background.rgb": (0.9, 0.9, 0.9)}
    for body in nominal.bodies:
        path = f"bodies.{body.name}"
        if body.role == "surface":
            values |= {f"{path}.texture": "planks:3", f"{path}.rgb": (0.95, 0.9, 0.85)}
        elif body.role == "distractor" and int(body.name.removeprefix("distractor")) <= _BALL:
            names = ("position_m", "rpy_rad", "size_scale", "rgb", "texture")
            values |= {f"{path}.{n}": drawn[f"{path}.{n}"] for n in names}
            values[f"{path}.present"] = True
    ball = f"bodies.distractor{_BALL}"
    objects = [b for b in nominal.bodies if b.role == "object"]
    if f"{ball}.present" in values and objects:
        camera = rig.camera.world_from_camera()
        at = frame_matrices(rig, nominal)[objects[0].name][:3, 3]
        distance = float(np.linalg.norm(at - np.asarray(camera.position_m)))
        place = at - 0.1 * distance * camera.matrix()[:3, 0]
        values |= {f"{ball}.position_m": tuple(place.tolist()), f"{ball}.rgb": (0.75, 0.3, 0.2)}
        radius_m = distractor_shape(rig, f"distractor{_BALL}")[1][0]
        values |= {f"{ball}.texture": "none", f"{ball}.size_scale": 0.03 * distance / radius_m}
    return with_values(nominal, values)


def _strip(axis: Axis, rig: Rig, world: WorldParams, frames: SimulatedFrames, group: str) -> Strip | None:
    found = _path(axis, world)
    if found is None:
        return None
    owner = found.rpartition(".")[0]
    needs = {name.replace("{owner}", owner): value for name, value in axis.needs.items()}
    middle = frames.draw_worlds([world]).keypoints_px[0, 0]
    world = with_values(world, {name: value for name, value in needs.items() if name != found})
    channel = frames.sampler.channels.get(found)
    like = channel or _any_role(axis, frames)
    values = _ends(axis, found, paths(world)[found], like, paths(nominal_world(rig))[found])
    batch = frames.draw_worlds([with_values(world, {found: value}) for value in values])
    if group != "depth":
        return Strip(axis, found, channel, values, tuple(_cut(p, middle) for p in batch.rgb))
    assert batch.depth_m is not None
    return Strip(axis, found, channel, values, tuple(_depth_picture(_cut(z, middle)) for z in batch.depth_m))


def _cut(picture: NDArray[Any], middle: NDArray[np.float64]) -> NDArray[Any]:
    """Return the part of tile size around a point, or in the middle when the point is not seen."""
    sides = picture.shape[1::-1]
    middle = middle if np.isfinite(middle).all() else np.array(sides) / 2
    left, top = (
        int(np.clip(m - side / 2, 0, whole - side)) for m, side, whole in zip(middle, _TILE_PX, sides, strict=True)
    )
    return picture[top : top + _TILE_PX[1], left : left + _TILE_PX[0]]


def _path(axis: Axis, world: WorldParams) -> str | None:
    parts = axis.target.split(".")
    if len(parts) == 2:
        return axis.target
    if parts[1].startswith("@"):
        names = [b.name for b in world.bodies if b.role == parts[1][1:]]
        if parts[1] == "@distractor":
            names = [n for n in names if n == f"distractor{_BALL}"] or names
    else:
        names = [item.name for item in getattr(world, parts[0])]
    # The lamp in the middle of the row.
    chosen = len(names) // 2 if parts[0] == "lamps" else 0
    return f"{parts[0]}.{names[chosen]}.{parts[2]}" if names else None


def _any_role(axis: Axis, frames: SimulatedFrames) -> Channel | None:
    """Return the channel of the same field of another body, joint or lamp."""
    same = [c for p, c in frames.sampler.channels.items() if f"{p.split('.')[0]}.{p.split('.')[-1]}" == axis.key]
    return same[0] if same else None


def _ends(axis: Axis, path: str, nominal: Any, channel: Channel | None, unshown: Any) -> tuple[Any, ...]:
    """Return low, nominal and high."""
    if isinstance(nominal, bool):
        return (False, True)
    if path in ("light.azimuth_rad", "light.elevation_rad"):
        # Drawn together, as a direction.
        return (-2.2, nominal, 2.2) if path.endswith("azimuth_rad") else (0.35, nominal, 1.5)
    if channel is None:
        return (nominal,)
    options = getattr(channel.distribution, "options", ())
    if options and not isinstance(options[0], tuple):
        others = sorted(set(options) - {nominal})
        return (others[0], nominal, others[-1]) if len(others) > 1 else (nominal, *others)
    ends = np.array(axis.ends or (1,) * (len(nominal) if isinstance(nominal, tuple) else 1))
    drawn = [channel.distribution.quantile(0.5 + ends[None] * (u - 0.5))[0] for u in (_BELOW, _ABOVE)]
    base = np.asarray(unshown, np.float64)
    combined = [base + d if channel.how == "add" else base * d if channel.how == "scale" else d for d in drawn]
    low, high = (tuple(map(float, c)) if isinstance(nominal, tuple) else float(np.ravel(c)[0]) for c in combined)
    return (low, nominal, high)


def _depth_picture(depth_m: NDArray[np.floating]) -> Picture:
    """Return near in yellow and far in blue, with small differences as relief; black where there is no reading."""
    known = np.isfinite(depth_m)
    near, far = np.percentile(depth_m[known], [1, 99]) if known.any() else (0.0, 1.0)
    z = np.where(known, depth_m, far)
    share = np.clip((z - near) / max(far - near, 1e-6), 0, 1)
    colours = cv2.applyColorMap((255 * (1 - share)).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    relief = np.clip((z - cv2.blur(z, (5, 5))) / (0.01 * max(near, 1e-6)), -0.4, 0.4)
    shaded = np.clip(colours * (0.8 - relief[..., None]), 0, 255)
    return np.where(known[..., None], shaded, 0).astype(np.uint8)


def sheet(strips: list[Strip]) -> Picture:
    """Return the strips of a group below each other, in two columns, with names and values."""
    drawn = [_strip_picture(strip) for strip in strips]
    rows = -(-len(drawn) // _COLUMNS)
    height = max(d.shape[0] for d in drawn)
    blank = np.full((height, drawn[0].shape[1], 3), 255, np.uint8)
    columns = [np.vstack([*drawn[k * rows : (k + 1) * rows], *[blank] * rows][:rows]) for k in range(_COLUMNS)]
    return np.hstack(columns if len(drawn) > 1 else columns[:1])


def _strip_picture(strip: Strip) -> Picture:
    width, height = _TILE_PX
    out = np.full((_TEXT_PX + height + _TEXT_PX + _GAP_PX, 3 * (width + _GAP_PX) + _GAP_PX, 3), 255, np.uint8)
    _write(out, strip.path + (f" [{strip.axis.unit}]" if strip.axis.unit else ""), 0, 0, 0.42)
    for k, (value, picture) in enumerate(zip(strip.values, strip.pictures, strict=True)):
        left = k * (width + _GAP_PX)
        out[_TEXT_PX : _TEXT_PX + height, left : left + width] = picture
        _write(out, value_text(value), left, _TEXT_PX + height, 0.34)
    return out


def _write(picture: Picture, text: str, left: int, top: int, size: float) -> None:
    place = (left + 2, top + _TEXT_PX - 5)
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (20, 20, 20), 1, cv2.LINE_AA)


def value_text(value: Any) -> str:
    """Return a value in a few characters."""
    if isinstance(value, tuple):
        text = " ".join(f"{v:.2g}" for v in value)
        return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def page_text(rig: Rig, strips: dict[str, list[Strip]]) -> str:
    """Return the page in Markdown."""
    lines = [
        "# What can vary",
        "",
        f"Each strip shows one value of the world at the low end of what the preset `{PRESET}` draws (2 % of draws lie",
        "below), as it is nominally, and at the high end (2 % lie above); all else stays as it is. A switch is shown",
        f"off and on. The station is the shipped rig `{rig.name}`, dressed with a background and five distractors.",
        "Where a value needs another to be seen (a focus needs an aperture, a velocity an exposure), that one is set.",
        "",
        "This page and its pictures are made by",
        "",
        f"    sim2real axes --rig {rig.name} --out docs --overwrite",
        "",
        "A channel of a preset names a target, a distribution and how the draw is combined with the nominal value;",
        "`every` says how long a draw lasts within an episode. `[[correlations]]` makes channels vary together,",
        "`[[shared]]` makes them take one draw. Every path has a random stream of its own, so a new channel changes no",
        "other draw, and frame i is the same in any batch.",
    ]
    for group, drawn in strips.items():
        if not drawn:
            continue
        lines += ["", f"## {group.capitalize()}", "", f"![{group}](axes/{_file(group)})", ""]
        lines += [f"| axis | what it is | unit | drawn by `{PRESET}` | model |", "|---|---|---|---|---|"]
        for strip in drawn:
            axis, channel = strip.axis, strip.channel
            by = "not varied" if channel is None else f"{channel.how} {channel.distribution}"
            cells = (f"`{axis.target}`", axis.meaning, axis.unit, by, axis.source)
            lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _file(group: str) -> str:
    return group.replace(" ", "_") + ".jpg"
