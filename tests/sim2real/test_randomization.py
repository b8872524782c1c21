import zlib
from typing import Any

import numpy as np
import pytest
from scipy import stats

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.rig_file import load_rig, rig_names
from calibration.world import BodyParams, JointParams, LightParams, WorldParams, paths, with_values
from sim2real.distributions import Choice, Fixed, Normal, Uniform
from sim2real.presets import load_preset, rig_spec
from sim2real.randomization import Channel, RandomizationSpec, WorldSampler, sample_world

NOMINAL = WorldParams(
    (
        BodyParams("cube", "object", (0.1, 0.2, 0.3), rgb=(0.2, 0.4, 0.8)),
        BodyParams("table", "surface"),
        BodyParams("wall", "surface"),
    ),
    (JointParams("q1", 0.5), JointParams("q2", -0.5)),
    LightParams(ambient=0.5),
)
CHANNELS = (
    Channel("light.ambient", Uniform(0.2, 0.6)),
    Channel("bodies.cube.rgb", Uniform(0.5, 1.5), "scale"),
    Channel("bodies.cube.position_m", Normal(0.0, 0.1), "add"),
    Channel("joints.*.position", Uniform(-1.0, 1.0)),
    Channel("bodies.@surface.texture", Choice(("none", "noise:1", "noise:2"))),
    Channel("light.shadow", Choice((True, False))),
)


def spec(*channels: Channel) -> RandomizationSpec:
    return RandomizationSpec("test", channels)


def drawn(channels: tuple[Channel, ...], path: str, count: int, seed: int = 3) -> np.ndarray:
    sampler = WorldSampler(spec(*channels), NOMINAL)
    return np.array([paths(sampler.sample(seed, k))[path] for k in range(count)])


def test_the_same_seed_and_index_give_the_same_world() -> None:
    one, other = (WorldSampler(spec(*CHANNELS), NOMINAL) for _ in range(2))
    assert one.sample(5, 17) == other.sample(5, 17)
    # Also when others were drawn in between, in any order.
    worlds = [one.sample(5, k) for k in range(6)]
    assert [one.sample(5, k) for k in reversed(range(6))] == worlds[::-1]
    assert sample_world(spec(*CHANNELS), NOMINAL, 5) == one.sample(5)


def test_another_seed_or_index_gives_another_world() -> None:
    sampler = WorldSampler(spec(*CHANNELS), NOMINAL)
    worlds = [sampler.sample(seed, index) for seed in range(4) for index in range(4)]
    for path in ("light.ambient", "bodies.cube.rgb", "bodies.cube.position_m", "joints.q1.position"):
        assert len({paths(w)[path] for w in worlds}) == 16, path
    assert len({w.noise_seed for w in worlds}) == 16


def test_the_nominal_world_is_unchanged_and_so_is_what_no_channel_names() -> None:
    before = paths(NOMINAL)
    sampler = WorldSampler(spec(*CHANNELS), NOMINAL)
    world = sampler.sample(0)
    assert paths(NOMINAL) == before
    varied = {
        "light.ambient",
        "light.shadow",
        "bodies.cube.rgb",
        "bodies.cube.position_m",
        "joints.q1.position",
        "joints.q2.position",
        "bodies.table.texture",
        "bodies.wall.texture",
    }
    assert set(sampler.channels) == varied
    after = paths(world)
    assert {p for p in before if before[p] != after[p]} <= varied


@pytest.mark.parametrize("position", [0, 3, len(CHANNELS)])
def test_a_new_channel_changes_no_other_draw(position: int) -> None:
    new = Channel("sensor.gamma", Uniform(0.5, 1.5))
    more = (*CHANNELS[:position], new, *CHANNELS[position:])
    for index in range(5):
        plain = WorldSampler(spec(*CHANNELS), NOMINAL).sample(1, index)
        extended = WorldSampler(spec(*more), NOMINAL).sample(1, index)
        assert extended.sensor.gamma != 1.0
        assert with_values(extended, {"sensor.gamma": 1.0}) == plain


def test_the_order_of_channels_does_not_matter() -> None:
    one, other = WorldSampler(spec(*CHANNELS), NOMINAL), WorldSampler(spec(*CHANNELS[::-1]), NOMINAL)
    assert [one.sample(2, k) for k in range(5)] == [other.sample(2, k) for k in range(5)]


def test_another_body_or_distribution_changes_no_other_draw() -> None:
    more = WorldParams((BodyParams("lamp", "surface"), *NOMINAL.bodies), NOMINAL.joints, NOMINAL.light)
    wider = (Channel("light.ambient", Normal(0.0, 1.0)), *CHANNELS[1:])
    plain, bodies, wide = (
        WorldSampler(spec(*c), w).sample(4) for c, w in ((CHANNELS, NOMINAL), (CHANNELS, more), (wider, NOMINAL))
    )
    for path, value in paths(plain).items():
        assert paths(bodies)[path] == value
        assert paths(wide)[path] == value or path == "light.ambient"


@pytest.mark.parametrize("name", rig_names())
def test_no_two_paths_share_a_stream(name: str) -> None:
    nominal = nominal_world(load_rig(name))
    keys = [zlib.crc32(p.encode()) for p in (*paths(nominal), "noise_seed")]
    assert len(set(keys)) == len(keys)


def test_draws_follow_the_distribution() -> None:
    count = 2000
    x = drawn(CHANNELS, "light.ambient", count)
    mean, std = 0.4, 0.4 / np.sqrt(12)
    assert abs(x.mean() - mean) < 5 * std / np.sqrt(count)
    # The variance of a sample variance, for a uniform variable: (kurtosis - 1) / n = 0.8 / n.
    assert abs(x.var() / std**2 - 1) < 5 * np.sqrt(0.8 / count)
    assert stats.kstest(x, stats.uniform(0.2, 0.4).cdf).pvalue > 1e-4


def test_neighbouring_frames_seeds_and_channels_are_uncorrelated() -> None:
    count = 2000
    sampler = WorldSampler(spec(*CHANNELS), NOMINAL)
    frames = [paths(sampler.sample(3, k)) for k in range(count)]
    seeds = [paths(sampler.sample(k, 0)) for k in range(count)]
    a = np.array([f["light.ambient"] for f in frames])
    b = np.array([f["joints.q1.position"] for f in frames])
    c = np.array([f["joints.q2.position"] for f in frames])
    s = np.array([f["light.ambient"] for f in seeds])
    rgb = np.array([f["bodies.cube.rgb"] for f in frames])
    pairs = [
        (a[1:], a[:-1]),
        (s[1:], s[:-1]),
        (a, s),
        (a, b),
        (b, c),
        (rgb[:, 0], rgb[:, 1]),
        (rgb[:, 1], rgb[:, 2]),
    ]
    for x, y in pairs:
        assert abs(np.corrcoef(x, y)[0, 1]) < 5 / np.sqrt(count)
    assert abs(s.mean() - 0.4) < 5 * 0.4 / np.sqrt(12 * count)


def test_set_add_and_scale_are_relative_to_the_nominal_world() -> None:
    add = drawn((Channel("bodies.cube.position_m", Uniform(-0.05, 0.05), "add"),), "bodies.cube.position_m", 400)
    np.testing.assert_allclose(add.min(axis=0), (0.05, 0.15, 0.25), atol=0.002)
    np.testing.assert_allclose(add.max(axis=0), (0.15, 0.25, 0.35), atol=0.002)
    scale = drawn((Channel("bodies.cube.rgb", Uniform(0.5, 1.0), "scale"),), "bodies.cube.rgb", 400)
    np.testing.assert_allclose(scale.min(axis=0), (0.1, 0.2, 0.4), rtol=0.02)
    np.testing.assert_allclose(scale.max(axis=0), (0.2, 0.4, 0.8), rtol=0.02)
    fixed = drawn((Channel("bodies.cube.rgb", Fixed((0.3, 0.6, 0.9))),), "bodies.cube.rgb", 1)
    np.testing.assert_array_equal(fixed[0], (0.3, 0.6, 0.9))


def test_a_later_channel_with_the_same_path_wins() -> None:
    base = spec(Channel("light.ambient", Fixed(0.1)), Channel("bodies.@surface.texture", Fixed("noise:1")))
    world = sample_world(
        base.with_channels((Channel("light.ambient", Fixed(0.9)), Channel("bodies.wall.texture", Fixed("noise:2")))),
        NOMINAL,
        0,
    )
    assert world.light.ambient == 0.9
    assert (world.body("table").texture, world.body("wall").texture) == ("noise:1", "noise:2")


def test_types_are_those_of_the_world() -> None:
    world = sample_world(
        spec(Channel("light.shadow", Choice((False,))), Channel("light.ambient", Fixed(1))), NOMINAL, 0
    )
    assert world.light.shadow is False
    assert type(world.light.ambient) is float
    assert isinstance(world.noise_seed, int)
    assert 0 <= world.noise_seed < 2**32


def test_a_role_that_the_rig_does_not_have_is_passed_over() -> None:
    sampler = WorldSampler(spec(Channel("bodies.@distractor.rgb", Uniform(0.0, 1.0))), NOMINAL)
    assert sampler.channels == {}


@pytest.mark.parametrize(
    "target",
    [
        "light.warmth",
        "lights.ambient",
        "bodies.cup.rgb",
        "bodies.@surface.colour",
        "bodies.*.colour",
        "joints.*.speed",
        "light",
        "",
    ],
)
def test_a_target_that_the_world_does_not_have(target: str) -> None:
    with pytest.raises(InputError) as error:
        WorldSampler(spec(Channel(target, Fixed(1.0))), NOMINAL)
    assert str(error.value).startswith(f"randomization test: no world parameter '{target}'; known are ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        (
            Channel("light.ambient", Choice(("bright",))),
            "light.ambient cannot be drawn from one of 1: bright: ",
        ),
        (
            Channel("bodies.cube.rgb", Uniform((0.0, 0.0), (1.0, 1.0))),
            r"bodies.cube.rgb cannot be drawn from uniform \[0, 0\] to \[1, 1\]: ",
        ),
        (
            Channel("bodies.cube.texture", Uniform(0.0, 1.0), "scale"),
            "bodies.cube.texture cannot be drawn from uniform 0 to 1: ",
        ),
        (
            Channel("bodies.cube.rgb", Choice(("red",))),
            "bodies.cube.rgb cannot be drawn from one of 1: red: ",
        ),
    ],
)
def test_a_draw_that_does_not_fit_its_target(channel: Channel, message: str) -> None:
    with pytest.raises(InputError, match=f"^randomization test: {message}"):
        WorldSampler(spec(channel), NOMINAL)


@pytest.mark.parametrize(
    "channel",
    [Channel("light.shadow", Uniform(0.0, 1.0)), Channel("bodies.cube.texture", Uniform(0.0, 1.0))],
    ids=lambda c: c.target,
)
def test_a_number_is_neither_yes_or_no_nor_a_texture(channel: Channel) -> None:
    with pytest.raises(InputError):
        WorldSampler(spec(channel), NOMINAL)


@pytest.mark.parametrize("name", rig_names())
def test_every_draw_of_a_shipped_rig_is_a_world(name: str) -> None:
    rig = load_rig(name)
    sampler = WorldSampler(rig_spec(rig, load_preset(rig.preset)), nominal_world(rig))
    for index in range(20):
        world = sampler.sample(0, index)
        values: dict[str, Any] = paths(world)
        numbers = np.array([v for v in values.values() if isinstance(v, float)])
        assert np.isfinite(numbers).all()
        assert 0.5 < world.camera.focal_scale < 1.5
