"""Randomization presets: TOML files, and the channels that follow from a rig's own uncertainties."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from calibration.errors import InputError
from calibration.rig import Rig
from envs.textures import texture_files
from sim2real.correlation import Correlation, Shared
from sim2real.distributions import BY_NAME, Choice, Normal, Uniform
from sim2real.measured_channels import measured_channels
from sim2real.randomization import EVERY, Channel, RandomizationSpec

_RANGE = re.compile(r"^(.*:)(\d+)\.\.(\d+)$")
_DISTRACTOR_SIZES = (0.35, 0.6, 1.0, 1.5)
# Sizes are drawn in steps, so that a few dozen shapes serve a whole run.
_SIZE_STEP = 0.02
G = TypeVar("G", Correlation, Shared)


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

    With `base`, the name of a shipped preset, its channels and groups come first and those of the text win.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} must be TOML: {error}") from None
    unknown = set(data) - {"format", "name", "base", "calibrated", "channels", "correlations", "shared"}
    if unknown or data.get("format", 1) != 1:
        expected = "format = 1, name, base, calibrated, [[channels]], [[correlations]] and [[shared]]"
        raise InputError(f"{where}: expected {expected}, got {', '.join(sorted(data))}")
    channels = tuple(_channel(c, f"{where}: channel {k + 1}", folder) for k, c in enumerate(data.get("channels", [])))
    correlations = _groups(Correlation, data.get("correlations", []), f"{where}: correlation")
    shared = _groups(Shared, data.get("shared", []), f"{where}: shared")
    base = RandomizationSpec("", ())
    if "base" in data:
        if data["base"] not in preset_names():
            raise InputError(f"{where}: base must be one of {', '.join(preset_names())}, got {data['base']!r}")
        base = load_preset(data["base"])
    if not isinstance(calibrated := data.get("calibrated", base.calibrated), bool):
        raise InputError(f"{where}: calibrated must be true or false, got {calibrated!r}")
    name = str(data.get("name", where))
    return dataclasses.replace(
        join_specs(base, RandomizationSpec(name, channels, correlations, shared, calibrated)), name=name
    )


def join_specs(base: RandomizationSpec, own: RandomizationSpec) -> RandomizationSpec:
    """Return one spec of two; where both speak of the same, the second wins."""
    return RandomizationSpec(
        f"{base.name}+{own.name}",
        base.channels + own.channels,
        _joined(base.correlations, own.correlations),
        _joined(base.shared, own.shared),
        base.calibrated or own.calibrated,
    )


def _groups(kind: type[G], tables: list[dict[str, Any]], where: str) -> tuple[G, ...]:
    """Return correlations or shared draws; a group without a name is called after its targets."""
    groups: list[G] = []
    for k, table in enumerate(tables):
        values = {key: _tuples(value) for key, value in table.items()}
        if not isinstance(values.get("targets"), tuple) or not all(isinstance(t, str) for t in values["targets"]):
            raise InputError(f"{where} {k + 1}: targets must be a list of paths, got {table.get('targets')!r}")
        values.setdefault("name", " and ".join(values["targets"]))
        try:
            groups.append(kind(**values))
        except (TypeError, ValueError) as error:
            raise InputError(f"{where} {k + 1}: {error}") from None
    names = [group.name for group in groups]
    if len(set(names)) != len(names):
        raise InputError(f"{where}: each group needs a name of its own, got {', '.join(names)}")
    return tuple(groups)


def _joined(base: tuple[G, ...], own: tuple[G, ...]) -> tuple[G, ...]:
    names = {group.name for group in own}
    return tuple(group for group in base if group.name not in names) + own


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _channel(data: dict[str, Any], where: str, folder: Path) -> Channel:
    values = dict(data)
    target, how = values.pop("target", None), values.pop("how", "set")
    kind, every = values.pop("distribution", None), values.pop("every", "episode")
    interval = {name: values.pop(name) for name in ("interval_s", "interval_steps") if name in values}
    if not isinstance(target, str):
        raise InputError(f"{where}: target must be a path such as 'light.ambient', got {target!r}")
    if how not in ("set", "add", "scale"):
        raise InputError(f"{where} ({target}): how must be set, add or scale, got {how!r}")
    if every not in EVERY:
        raise InputError(f"{where} ({target}): every must be one of {', '.join(EVERY)}, got {every!r}")
    if kind not in BY_NAME:
        raise InputError(f"{where} ({target}): distribution must be one of {', '.join(BY_NAME)}, got {kind!r}")
    if "images" in values:
        pictures = folder / values.pop("images")
        if not pictures.is_dir():
            raise InputError(f"{where} ({target}): images must be a folder, got {pictures}")
        values["options"] = [*values.get("options", []), *texture_files(pictures)]
    if "options" in values:
        values["options"] = [o for option in values["options"] for o in _expand(option)]
    values = {k: _tuples(v) for k, v in values.items()}
    try:
        return Channel(target, BY_NAME[kind](**values), how, every, **interval)
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

    What the preset itself says about the same paths wins, unless it is a calibrated one: then what the rig's records
    measured does.

    Raises:
        InputError: a calibrated preset, and a rig without records.
    """
    if preset.calibrated and not rig.measured:
        raise InputError(
            f"randomization '{preset.name}' draws what calibration left open, and rig {rig.name} names no records; "
            "calibrate it first: sim2real calibrate --help"
        )
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
    for camera in rig.cameras:
        own.append(Channel(f"mounts.{camera.name}.shift_m", Normal(0.0, camera.position_std_m)))
        own.append(Channel(f"mounts.{camera.name}.tilt_rad", Normal(0.0, camera.rotation_std_rad)))
    if rig.distractors is not None:
        d = rig.distractors
        low, high = zip(d.x_m, d.y_m, d.z_m, strict=True)
        own.append(Channel("bodies.@distractor.position_m", Uniform(low, high)))
        flat = 3.1416
        own.append(Channel("bodies.@distractor.rpy_rad", Uniform((-0.1, -0.1, -flat), (0.1, 0.1, flat))))
        own.append(Channel("bodies.@distractor.size_scale", Choice(_DISTRACTOR_SIZES)))
        own.append(Channel("bodies.@distractor.present", Choice((True, False), (0.4, 0.6))))
    measured, groups = measured_channels(rig)
    if not preset.calibrated:
        # A preset's sensor stays as it is; where the camera is, the records know better than the rig's file.
        measured = [c for c in measured if c.target.startswith(("camera.", "mounts."))]
        groups = [g for g in groups if all(t.startswith(("camera.", "mounts.")) for t in g.targets)]
        said = {c.target for c in preset.channels}
        groups = [g for g in groups if not {t.split("[")[0] for t in g.targets} & said]
        return dataclasses.replace(
            preset, channels=(*own, *measured, *preset.channels), correlations=(*groups, *preset.correlations)
        )
    return dataclasses.replace(
        preset, channels=(*own, *preset.channels, *measured), correlations=(*preset.correlations, *groups)
    )
