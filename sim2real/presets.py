"""Randomization presets: TOML files, and the channels that follow from a rig's own uncertainties."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from calibration.errors import InputError
from calibration.rig import Rig
from envs.textures import texture_files
from sim2real.distributions import BY_NAME, Choice, Normal, Uniform
from sim2real.randomization import Channel, RandomizationSpec

_RANGE = re.compile(r"^(.*:)(\d+)\.\.(\d+)$")
_DISTRACTOR_SIZES = (0.35, 0.6, 1.0, 1.5)
# Sizes are drawn in steps, so that a few dozen shapes serve a whole run.
_SIZE_STEP = 0.02


def preset_names() -> list[str]:
    """Return the names of the presets that come with the package."""
    folder = resources.files("sim2real") / "presets"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_preset(name_or_path: str) -> RandomizationSpec:
    """Return the spec of a shipped preset or of a TOML file.

    Raises:
        InputError: no such preset, no TOML, an unknown key or a distribution that cannot be.
    """
    if name_or_path in preset_names():
        source = resources.files("sim2real") / "presets" / f"{name_or_path}.toml"
        return parse_preset(source.read_text(encoding="utf-8"), f"preset {name_or_path}", Path())
    path = Path(name_or_path)
    if not path.is_file():
        known = ", ".join(preset_names())
        raise InputError(f"randomization must be a TOML file or one of {known}, got '{name_or_path}', which is neither")
    return parse_preset(path.read_text(encoding="utf-8"), str(path), path.resolve().parent)


def parse_preset(text: str, where: str, folder: Path) -> RandomizationSpec:
    """Return the spec that TOML text describes; `folder` is where relative texture folders start.

    With `base`, the name of a shipped preset, its channels come first and those of the text win.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} must be TOML: {error}") from None
    unknown = set(data) - {"format", "name", "base", "channels"}
    if unknown or data.get("format", 1) != 1:
        raise InputError(f"{where}: expected format = 1, name, base and [[channels]], got {', '.join(sorted(data))}")
    channels = tuple(_channel(c, f"{where}: channel {k + 1}", folder) for k, c in enumerate(data.get("channels", [])))
    inherited: tuple[Channel, ...] = ()
    if "base" in data:
        if data["base"] not in preset_names():
            raise InputError(f"{where}: base must be one of {', '.join(preset_names())}, got {data['base']!r}")
        inherited = load_preset(data["base"]).channels
    return RandomizationSpec(str(data.get("name", where)), inherited + channels)


def _channel(data: dict[str, Any], where: str, folder: Path) -> Channel:
    values = dict(data)
    target, how = values.pop("target", None), values.pop("how", "set")
    kind = values.pop("distribution", None)
    if not isinstance(target, str):
        raise InputError(f"{where}: target must be a path such as 'light.ambient', got {target!r}")
    if how not in ("set", "add", "scale"):
        raise InputError(f"{where} ({target}): how must be set, add or scale, got {how!r}")
    if kind not in BY_NAME:
        raise InputError(f"{where} ({target}): distribution must be one of {', '.join(BY_NAME)}, got {kind!r}")
    if "images" in values:
        pictures = folder / values.pop("images")
        if not pictures.is_dir():
            raise InputError(f"{where} ({target}): images must be a folder, got {pictures}")
        values["options"] = [*values.get("options", []), *texture_files(pictures)]
    if "options" in values:
        values["options"] = [o for option in values["options"] for o in _expand(option)]
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return Channel(target, BY_NAME[kind](**values), how)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} ({target}): {error}") from None


def _expand(option: Any) -> list[Any]:
    """Return `noise:0..3` as noise:0, noise:1, noise:2, noise:3."""
    match = _RANGE.match(option) if isinstance(option, str) else None
    if match is None:
        return [option]
    return [f"{match.group(1)}{k}" for k in range(int(match.group(2)), int(match.group(3)) + 1)]


def rig_spec(rig: Rig, preset: RandomizationSpec) -> RandomizationSpec:
    """Return the preset with what follows from the rig: placements, sizes, camera, joints, distractors.

    What the preset itself says about the same paths wins.
    """
    own: list[Channel] = []
    for p in rig.placements:
        if p.body is not None and p.x_m and p.y_m and p.z_m:
            low, high = zip(p.x_m, p.y_m, p.z_m, strict=True)
            roll, pitch, _ = rig.body(p.body).rpy_rad
            own.append(Channel(f"bodies.{p.body}.position_m", Uniform(low, high)))
            turn = Uniform((roll, pitch, p.yaw_rad[0]), (roll, pitch, p.yaw_rad[1]))
            own.append(Channel(f"bodies.{p.body}.rpy_rad", turn))
        elif p.joint is not None and p.range is not None:
            own.append(Channel(f"joints.{p.joint}.position", Uniform(*p.range)))
    for body in rig.bodies:
        if body.size_uncertainty:
            size = Uniform(1 - body.size_uncertainty, 1 + body.size_uncertainty, _SIZE_STEP)
            own.append(Channel(f"bodies.{body.name}.size_scale", size))
    if rig.robot is not None and rig.robot.joint_uncertainty_rad:
        placed = {p.joint for p in rig.placements}
        for name in rig.robot.joints:
            if name not in placed and "finger" not in name:
                own.append(Channel(f"joints.{name}.position", Normal(0.0, rig.robot.joint_uncertainty_rad), "add"))
    own.append(Channel("camera.shift_m", Normal(0.0, rig.camera.position_std_m)))
    own.append(Channel("camera.tilt_rad", Normal(0.0, rig.camera.rotation_std_rad)))
    own.append(Channel("camera.focal_scale", Normal(1.0, rig.camera.focal_std)))
    if rig.distractors is not None:
        d = rig.distractors
        low, high = zip(d.x_m, d.y_m, d.z_m, strict=True)
        own.append(Channel("bodies.@distractor.position_m", Uniform(low, high)))
        flat = 3.1416
        own.append(Channel("bodies.@distractor.rpy_rad", Uniform((-0.1, -0.1, -flat), (0.1, 0.1, flat))))
        own.append(Channel("bodies.@distractor.size_scale", Choice(_DISTRACTOR_SIZES)))
        own.append(Channel("bodies.@distractor.present", Choice((True, False), (0.4, 0.6))))
    return RandomizationSpec(preset.name, tuple(own) + preset.channels)
