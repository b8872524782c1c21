import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.measured import measured
from calibration.physics import PushParams
from calibration.rig_file import load_rig, rig_names
from calibration.world import PHYSICAL, paths
from envs.tasks import make_task
from envs.textures import is_sky, texture_picture
from sim2real.correlation import Correlation, Shared
from sim2real.distributions import Choice, Fixed, LogUniform, Normal, Uniform
from sim2real.environments import world_source
from sim2real.presets import load_preset, parse_preset, preset_names, rig_spec
from sim2real.randomization import Channel, RandomizationSpec, WorldSampler
from sim2real.stream import SimulatedFrames

EMPTY = RandomizationSpec("empty", ())


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("rig_name", rig_names())
def test_a_shipped_preset_fits_every_shipped_rig(name: str, rig_name: str) -> None:
    # As if its camera had been calibrated, which one preset is about.
    shift = measured("made up", ("camera.shift_m[0]",), (0.0,), np.diag([1e-6]))
    rig, preset = replace(load_rig(rig_name), measured=(shift,)), load_preset(name)
    assert preset.name == name
    sampler = WorldSampler(rig_spec(rig, preset), nominal_world(rig))
    # What varies about a single frame follows from the rig alone where a preset is about physics.
    assert len(sampler.channels) > (0 if name == "dynamics" else 40)
    textures = {c.distribution for path, c in sampler.channels.items() if path.endswith(".texture")}
    for distribution in textures:
        assert isinstance(distribution, Choice)
        for option in set(distribution.options) - {"none"}:
            assert is_sky(option) or texture_picture(option).shape == (128, 128, 3)


def test_the_preset_of_dynamics_varies_all_that_is_physical() -> None:
    task = make_task("Push", load_rig("panda_tabletop"))
    sampler = WorldSampler(rig_spec(task.rig, load_preset("dynamics")), task.nominal_world())
    fields = {(p.split(".")[0], p.split(".")[-1]) for p in paths(task.nominal_world())}
    varied = {(p.split(".")[0], p.split(".")[-1]) for p in sampler.channels}
    # How often sensors measure and how strong gravity is are known.
    known = {("observation", "period_s"), ("frames", "period_s"), ("gravity", "magnitude_m_s2")}
    assert {f for f in fields if f[0] in PHYSICAL} - varied == known


@pytest.mark.parametrize("rig_name", ["cube_on_table", "psm_tool"])
def test_the_preset_of_geometry_varies_where_things_are_and_not_how_they_look(rig_name: str) -> None:
    rig = load_rig(rig_name)
    nominal = nominal_world(rig)
    sampler = WorldSampler(rig_spec(rig, load_preset("geometry")), nominal)
    geometry = ("position_m", "rpy_rad", "size_scale", "present", "position", "shift_m", "tilt_rad", "focal_scale")
    assert {path.split(".")[-1] for path in sampler.channels} <= set(geometry)
    world = sampler.sample(0, 5)
    assert (world.light, world.sensor, world.background) == (nominal.light, nominal.sensor, nominal.background)
    assert world.bodies != nominal.bodies
    assert world.camera != nominal.camera


def test_presets_are_joined_and_the_last_one_wins(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = '[[channels]]\ntarget = "pushes.rate_hz"\ndistribution = "fixed"\nvalue = 3.0\n'
    file.write_text('name = "mine"\n' + text)
    task = make_task("Push", load_rig("panda_tabletop"))
    world = world_source(task, f"wide+dynamics+{file}")(np.random.default_rng(0))
    assert world.pushes == PushParams(3.0, world.pushes.impulse_n_s if world.pushes else 0.0)
    assert world.sensor != task.nominal_world().sensor
    assert world.motors != task.nominal_world().motors


def test_every_rig_asks_for_a_preset_that_is_shipped() -> None:
    assert {load_rig(name).preset for name in rig_names()} <= set(preset_names())


def test_each_kind_of_channel() -> None:
    text = """
format = 1
name = "all"
[[channels]]
target = "light.ambient"
distribution = "uniform"
low = 0.2
high = 0.6
step = 0.1
[[channels]]
target = "bodies.cube.position_m"
how = "add"
distribution = "normal"
mean = [0, 0, 0]
std = [0.1, 0.1, 0.0]
[[channels]]
target = "sensor.gamma"
how = "scale"
distribution = "loguniform"
low = 0.5
high = 2
[[channels]]
target = "light.shadow"
distribution = "choice"
options = [true, false]
weights = [0.25, 0.75]
[[channels]]
target = "light.rgb"
distribution = "fixed"
value = [1.0, 0.9, 0.8]
[[channels]]
target = "background.texture"
distribution = "choice"
options = ["none", "noise:2..4", "planks:7"]
every = "interval"
interval_s = 0.5
[[channels]]
target = "background.rgb"
distribution = "choice"
options = [[1, 0, 0], [0, 1, 0]]
[[correlations]]
targets = ["light.ambient", "sensor.gamma"]
matrix = [[1, 0.5], [0.5, 1]]
[[shared]]
name = "all rgb"
targets = ["bodies.*.rgb"]
"""
    preset = parse_preset(text, "here", Path())
    assert preset == RandomizationSpec(
        "all",
        (
            Channel("light.ambient", Uniform(0.2, 0.6, 0.1)),
            Channel("bodies.cube.position_m", Normal((0, 0, 0), (0.1, 0.1, 0.0)), "add"),
            Channel("sensor.gamma", LogUniform(0.5, 2), "scale"),
            Channel("light.shadow", Choice((True, False), (0.25, 0.75))),
            Channel("light.rgb", Fixed((1.0, 0.9, 0.8))),
            Channel(
                "background.texture",
                Choice(("none", "noise:2", "noise:3", "noise:4", "planks:7")),
                every="interval",
                interval_s=0.5,
            ),
            Channel("background.rgb", Choice(((1, 0, 0), (0, 1, 0)))),
        ),
        (Correlation("light.ambient and sensor.gamma", ("light.ambient", "sensor.gamma"), ((1, 0.5), (0.5, 1))),),
        (Shared("all rgb", ("bodies.*.rgb",)),),
    )


def channel(**values: str) -> str:
    base = {"target": '"light.ambient"', "distribution": '"uniform"', "low": "0.2", "high": "0.6"} | values
    return "[[channels]]\n" + "\n".join(f"{k} = {v}" for k, v in base.items() if v)


BAD_PRESETS = {
    "no TOML": ("[[channels]", r"^my\.toml must be TOML: .*line 1"),
    "unknown key": (
        'nmae = "x"',
        r"^my\.toml: expected format = 1, name, base, calibrated, \[\[channels\]\], .*, got nmae$",
    ),
    "another format": (
        "format = 2",
        r"^my\.toml: expected format = 1, name, base, calibrated, \[\[channels\]\], .*, got format$",
    ),
    "no target": (
        channel(target=""),
        r"^my\.toml: channel 1: target must be a path such as 'light\.ambient', got None$",
    ),
    "no distribution": (
        channel(distribution=""),
        r"distribution must be one of fixed, uniform, .*, choice, direction, temperature, got None$",
    ),
    "unknown distribution": (
        channel(distribution='"gauss"'),
        r"\(light\.ambient\): distribution must be one of fixed, uniform, .*, got 'gauss'$",
    ),
    "unknown how": (
        channel(how='"times"'),
        r"\(light\.ambient\): how must be set, add or scale, got 'times'$",
    ),
    "low above high": (
        channel(low="0.7"),
        r"^my\.toml: channel 1 \(light\.ambient\): uniform needs low not above high, got 0\.7 and 0\.6$",
    ),
    "second channel": (channel() + "\n" + channel(low="0.7"), r"^my\.toml: channel 2 \(light\.ambient\): "),
    "missing parameter": (
        channel(high=""),
        r"\(light\.ambient\): .*missing 1 required positional argument: 'high'$",
    ),
    "unknown parameter": (channel(mean="0.1"), r"\(light\.ambient\): .*unexpected keyword argument 'mean'$"),
    "text for a number": (channel(low='"dark"'), r"\(light\.ambient\): "),
    "missing folder": (
        channel(target='"bodies.cube.texture"', distribution='"choice"', low="", high="", images='"pictures"'),
        r"^my\.toml: channel 1 \(bodies\.cube\.texture\): images must be a folder, got .*pictures$",
    ),
    "no options": (
        channel(distribution='"choice"', low="", high="", options="[]"),
        r"choice needs at least one option$",
    ),
    "unknown every": (
        channel(every='"hour"'),
        r"\(light\.ambient\): every must be one of episode, interval, step, frame, got 'hour'$",
    ),
    "interval without a length": (
        channel(every='"interval"'),
        r"^my\.toml: channel 1 \(light\.ambient\): every 'interval' needs one of interval_s and interval_steps",
    ),
    "correlation without targets": (
        "[[correlations]]\nmatrix = [[1.0]]",
        r"^my\.toml: correlation 1: targets must be a list of paths, got None$",
    ),
    "correlation without a matrix": (
        '[[correlations]]\ntargets = ["a", "b"]',
        r"^my\.toml: correlation 1: .*missing 1 required positional argument: 'matrix'$",
    ),
    "correlation that cannot be": (
        '[[correlations]]\ntargets = ["a", "b"]\nmatrix = [[1.0, 1.1], [1.1, 1.0]]',
        r"^my\.toml: correlation 1: correlation 'a and b' needs a positive definite matrix, .* is -0\.1;",
    ),
    "shared with an unknown key": (
        '[[shared]]\ntargets = ["a"]\nmatrix = [[1.0]]',
        r"^my\.toml: shared 1: .*unexpected keyword argument 'matrix'$",
    ),
    "two groups of one name": (
        '[[shared]]\nname = "g"\ntargets = ["a"]\n[[shared]]\nname = "g"\ntargets = ["b"]',
        r"^my\.toml: shared: each group needs a name of its own, got g, g$",
    ),
    "weights that do not fit": (
        channel(distribution='"choice"', low="", high="", options="[0.1, 0.2]", weights="[1.0]"),
        r"choice needs one weight of 0 or more for each option, got \(1\.0,\)$",
    ),
}


@pytest.mark.parametrize("case", BAD_PRESETS)
def test_a_bad_preset_says_what_is_wrong_in_one_line(case: str, tmp_path: Path) -> None:
    text, message = BAD_PRESETS[case]
    with pytest.raises(InputError) as error:
        parse_preset(text, "my.toml", tmp_path)
    assert re.search(message, str(error.value)), str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_target_is_found_when_the_preset_meets_a_rig() -> None:
    rig = load_rig("cube_on_table")
    preset = parse_preset('name = "mine"\n' + channel(target='"light.warmth"'), "my.toml", Path())
    with pytest.raises(InputError, match=r"^randomization mine: no world parameter 'light\.warmth'; known are "):
        WorldSampler(rig_spec(rig, preset), nominal_world(rig))


def test_neither_a_file_nor_a_name(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"^randomization must be a TOML file or one of calibrated, dynamics, .*, wide, got 'wyde', which is ",
    ):
        load_preset("wyde")
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\n' + channel())
    assert load_preset(str(file)) == RandomizationSpec("mine", (Channel("light.ambient", Uniform(0.2, 0.6)),))


def test_pictures_of_a_folder_are_seen_on_the_object(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for name, bgr in (("red.png", (0, 0, 250)), ("green.png", (0, 250, 0))):
        cv2.imwrite(str(tmp_path / "pictures" / name), np.full((50, 70, 3), bgr, np.uint8))
    file = tmp_path / "mine.toml"
    choice = channel(target='"bodies.cube.texture"', distribution='"choice"', low="", high="", images='"pictures"')
    file.write_text('name = "mine"\n' + choice + "\n" + channel(target='"bodies.cube.rgb"', low="1.0", high="1.0"))
    rig = load_rig("cube_on_table")
    frames = SimulatedFrames(rig, load_preset(str(file)), 0)
    worlds = [frames.world(k) for k in range(8)]
    batch = frames.draw(range(8))
    frames.close()
    names = [Path(w.body("cube").texture.removeprefix("file:")).name for w in worlds]
    assert set(names) == {"red.png", "green.png"}
    for name, rgb, pixel in zip(names, batch.rgb, batch.keypoints_px, strict=True):
        u, v = np.round(pixel[0]).astype(int)
        red, green, blue = rgb[v, u].astype(int)
        assert blue < 20
        assert (red - green > 50) if name == "red.png" else (green - red > 50)


def test_what_a_rig_does_not_know_exactly_is_randomized_by_as_much() -> None:
    rig = load_rig("cube_on_table")
    channels = WorldSampler(rig_spec(rig, EMPTY), nominal_world(rig)).channels
    assert channels["bodies.cube.position_m"].distribution == Uniform((-1.30, -0.66, 0.93), (-0.46, 0.66, 0.93))
    assert channels["bodies.cube.rpy_rad"].distribution == Uniform((0.0, 0.0, -0.7854), (0.0, 0.0, 0.7854))
    assert channels["camera.shift_m"].distribution == Normal(0.0, 0.02)
    assert channels["camera.tilt_rad"].distribution == Normal(0.0, 0.02)
    assert channels["camera.focal_scale"].distribution == Normal(1.0, 0.04)
    size = channels["bodies.cube.size_scale"].distribution
    assert isinstance(size, Uniform)
    assert (size.low, size.high) == (0.88, 1.12)
    assert "bodies.table.size_scale" not in channels
    assert channels["bodies.distractor13.position_m"].distribution == Uniform((-1.3, -1.0, 0.86), (0.6, 1.0, 1.05))

    tool = load_rig("psm_tool")
    joints = WorldSampler(rig_spec(tool, EMPTY), nominal_world(tool)).channels
    assert joints["joints.yaw.position"] == Channel("joints.yaw.position", Uniform(-0.65, -0.25))

    panda = load_rig("panda_tabletop")
    arm = WorldSampler(rig_spec(panda, EMPTY), nominal_world(panda)).channels
    assert arm["joints.panda_joint4.position"] == Channel("joints.panda_joint4.position", Normal(0.0, 0.15), "add")
    assert not any("finger" in path for path in arm)


def test_what_the_preset_says_about_a_path_wins() -> None:
    rig = load_rig("cube_on_table")
    mine = RandomizationSpec("mine", (Channel("camera.focal_scale", Fixed(1.25)),))
    world = WorldSampler(rig_spec(rig, mine), nominal_world(rig)).sample(0)
    assert world.camera.focal_scale == 1.25
    assert paths(world)["bodies.cube.position_m"] != paths(nominal_world(rig))["bodies.cube.position_m"]


def test_everything_varies_every_axis() -> None:
    rig = load_rig("cube_on_table")
    nominal = nominal_world(rig)
    sampler = WorldSampler(rig_spec(rig, load_preset("everything")), nominal)

    def axes(names: Iterable[str]) -> set[str]:
        return {re.sub(r"^(bodies|joints|lamps)\.\w+", r"\1.*", name) for name in names}

    assert axes(paths(nominal)) - axes(sampler.channels) == {"bodies.*.matte"}
    for world in sampler.sample_many(0, range(30)):
        assert world.light.rgb == world.lamps[0].rgb == world.lamps[2].rgb
        assert 0.0 <= world.lens.aperture_m <= 0.003


@pytest.mark.parametrize("name", ["wide", "glossy"])
def test_wide_and_glossy_are_as_they_were(name: str) -> None:
    preset = load_preset(name)
    assert (preset.correlations, preset.shared) == ((), ())
    assert {type(c.distribution) for c in preset.channels} <= {Uniform, LogUniform, Normal, Choice}
    by_target = {c.target: c for c in preset.channels}
    assert by_target["sensor.gamma"] == Channel("sensor.gamma", LogUniform(0.75, 1.35))
    assert by_target["light.ambient"].distribution == (Uniform(0.4, 0.75) if name == "wide" else Uniform(0.3, 0.75))


def test_a_group_of_the_same_name_replaces_that_of_the_base() -> None:
    text = 'base = "everything"\n[[shared]]\nname = "colour temperature"\ntargets = ["lamps.*.rgb"]'
    preset = parse_preset(text, "my.toml", Path())
    assert preset.shared == (Shared("colour temperature", ("lamps.*.rgb",)),)
    assert preset.correlations == load_preset("everything").correlations
