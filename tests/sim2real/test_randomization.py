import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.rig_file import load_rig, rig_names
from calibration.world import BodyParams, JointParams, LampParams, LightParams, WorldParams, paths, with_values
from sim2real.correlation import Correlation, Shared
from sim2real.distributions import Bernoulli, Choice, Direction, Fixed, Normal, Temperature, Uniform
from sim2real.philox import stream_keys
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
    return np.array([paths(world)[path] for world in sampler.sample_many(seed, range(count))])


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
    keys = stream_keys([*paths(nominal_world(load_rig(name))), "noise_seed"], 0)
    assert len({tuple(k) for k in keys.tolist()}) == len(keys)


@pytest.mark.parametrize("name", rig_names())
def test_a_world_does_not_depend_on_its_batch(name: str) -> None:
    rig = load_rig(name)
    sampler = WorldSampler(rig_spec(rig, load_preset("everything")), nominal_world(rig))
    worlds = sampler.sample_many(3, range(40))
    assert sampler.sample_many(3, [17, 4, 4]) == [worlds[17], worlds[4], worlds[4]]
    for size in (1, 2, 3, 7):
        assert [w for k in range(0, 40, size) for w in sampler.sample_many(3, range(k, min(k + size, 40)))] == worlds
    assert sampler.sample_many(3, []) == []
    assert sampler.sample(3, 2**40 + 1) != sampler.sample(3, 1)


def test_worlds_by_column_are_those_of_with_values() -> None:
    sampler = WorldSampler(spec(*CHANNELS), NOMINAL)
    for world in sampler.sample_many(0, range(5)):
        varied = {p: v for p, v in paths(world).items() if p in sampler.channels}
        assert replace(with_values(NOMINAL, varied), noise_seed=world.noise_seed) == world
        assert world.body("table").rgb is NOMINAL.body("table").rgb


def test_a_world_is_drawn_in_a_fraction_of_a_millisecond() -> None:
    rig = load_rig("cube_on_table")
    sampler = WorldSampler(rig_spec(rig, load_preset("wide")), nominal_world(rig))
    sampler.sample_many(0, range(64))
    times = []
    for k in range(5):
        start = time.perf_counter()
        sampler.sample_many(0, range(64 * k, 64 * k + 64))
        times.append(time.perf_counter() - start)
    # 0.08 ms on one core of 2024; the rest is for busy machines.
    assert min(times) / 64 < 0.001


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
    frames = [paths(w) for w in sampler.sample_many(3, range(count))]
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
            "light.ambient cannot be drawn from one of 1: bright: it is a number, not 'bright'",
        ),
        (
            Channel("bodies.cube.rgb", Uniform((0.0, 0.0), (1.0, 1.0))),
            r"bodies.cube.rgb cannot be drawn from uniform \[0, 0\] to \[1, 1\]: uniform needs 3 elements, got 2",
        ),
        (
            Channel("bodies.cube.texture", Uniform(0.0, 1.0), "scale"),
            "bodies.cube.texture cannot be drawn from uniform 0 to 1: it is a name, not 0.5",
        ),
        (
            Channel("bodies.cube.texture", Fixed("noise:1"), "add"),
            "bodies.cube.texture cannot be drawn from fixed noise:1: it can only be set, not changed by 'add'",
        ),
        (
            Channel("light.shadow", Choice((True, 1), (1.0, 0.001))),
            "light.shadow cannot be drawn from one of 2: True, 1: it is true or false, not 1",
        ),
        (
            Channel("light.ambient", Bernoulli(0.5)),
            "light.ambient cannot be drawn from true for 50 %: it is a number, not ",
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


@pytest.mark.parametrize("target", ["bodies.@objects.rgb", "bodies.@surfaces.colour", "bodies.@.rgb"])
def test_a_role_that_no_rig_has_is_a_mistake(target: str) -> None:
    with pytest.raises(
        InputError, match=r"^randomization test: role must be one of object, surface, robot, backgr.*, got"
    ):
        WorldSampler(spec(Channel(target, Uniform(0.0, 1.0))), NOMINAL)


def test_every_body_joint_and_lamp_by_a_star() -> None:
    world = replace(NOMINAL, lamps=(LampParams("a"), LampParams("b")))
    channels = (
        Channel("bodies.*.roughness", Uniform(0.0, 1.0)),
        Channel("joints.*.velocity", Uniform(0.0, 1.0)),
        Channel("lamps.*.present", Bernoulli(0.5)),
    )
    sampler = WorldSampler(spec(*channels), world)
    assert set(sampler.channels) == {
        *(f"bodies.{n}.roughness" for n in ("cube", "table", "wall")),
        *(f"joints.{n}.velocity" for n in ("q1", "q2")),
        *(f"lamps.{n}.present" for n in ("a", "b")),
    }
    worlds = sampler.sample_many(0, range(50))
    assert {tuple(lamp.present for lamp in w.lamps) for w in worlds} == {(a, b) for a in (0, 1) for b in (0, 1)}
    # A rig without lamps is not an error.
    assert WorldSampler(spec(channels[2]), NOMINAL).channels == {}


def test_a_direction_sets_azimuth_and_elevation_together() -> None:
    cap = Channel("light.direction", Direction(0.5, 0.6, 0.3))
    worlds = WorldSampler(spec(cap), NOMINAL).sample_many(0, range(500))
    a = np.array([w.light.azimuth_rad for w in worlds])
    e = np.array([w.light.elevation_rad for w in worlds])
    towards = np.column_stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    axis = [np.cos(0.6) * np.cos(0.5), np.cos(0.6) * np.sin(0.5), np.sin(0.6)]
    assert np.cos(0.3) - 1e-9 <= (towards @ axis).min() < np.cos(0.29)
    # A later channel of one of the two wins.
    fixed = WorldSampler(spec(cap, Channel("light.azimuth_rad", Fixed(3.0))), NOMINAL).sample(0)
    assert fixed.light.azimuth_rad == 3.0
    assert fixed.light.elevation_rad == worlds[0].light.elevation_rad
    before = WorldSampler(spec(Channel("light.azimuth_rad", Fixed(3.0)), cap), NOMINAL).sample(0)
    assert before.light == worlds[0].light


COPULA = Correlation("dim and tinted", ("light.ambient", "bodies.cube.rgb[1]"), ((1.0, 0.8), (0.8, 1.0)))


def test_correlated_draws_keep_their_distributions() -> None:
    channels = (Channel("light.ambient", Uniform(0.2, 0.6)), Channel("bodies.cube.rgb", Normal(0.5, 0.1)))
    count = 3000
    plain = WorldSampler(spec(*channels), NOMINAL).sample_many(1, range(count))
    grouped = RandomizationSpec("test", channels, (COPULA,))
    worlds = WorldSampler(grouped, NOMINAL).sample_many(1, range(count))
    x = np.array([w.light.ambient for w in worlds])
    y = np.array([w.body("cube").rgb for w in worlds])
    assert stats.kstest(x, stats.uniform(0.2, 0.4).cdf).pvalue > 1e-3
    assert stats.kstest(y[:, 1], stats.truncnorm(-2.5, 2.5, 0.5, 0.1).cdf).pvalue > 1e-3
    # Of a Gaussian copula: rank correlation (Spearman) 6 / pi * asin(rho / 2), Kendall's tau 2 / pi * asin(rho).
    assert stats.spearmanr(x, y[:, 1])[0] == pytest.approx(6 / np.pi * np.arcsin(0.4), abs=0.03)
    assert stats.kendalltau(x, y[:, 1])[0] == pytest.approx(2 / np.pi * np.arcsin(0.8), abs=0.03)
    assert abs(np.corrcoef(x, y[:, 0])[0, 1]) < 5 / np.sqrt(count)
    # What is not in the group is drawn as before.
    assert [w.body("cube").rgb[::2] for w in worlds] == [w.body("cube").rgb[::2] for w in plain]
    # The group's draws do not depend on other channels.
    more = replace(grouped, channels=(*CHANNELS, *channels))
    again = WorldSampler(more, NOMINAL).sample_many(1, range(20))
    assert [(w.light.ambient, w.body("cube").rgb) for w in again] == [
        (w.light.ambient, w.body("cube").rgb) for w in worlds[:20]
    ]


def test_a_correlation_with_a_role_is_one_for_each_body() -> None:
    channels = (
        Channel("bodies.@surface.specular", Uniform(0.0, 1.0)),
        Channel("bodies.@surface.roughness", Uniform(0.0, 1.0)),
    )
    group = Correlation("gloss", tuple(c.target for c in channels), ((1.0, -0.9), (-0.9, 1.0)))
    worlds = WorldSampler(RandomizationSpec("test", channels, (group,)), NOMINAL).sample_many(0, range(1000))
    gloss = np.array([(w.body(n).specular, w.body(n).roughness) for w in worlds for n in ("table", "wall")])
    gloss = gloss.reshape(1000, 4)
    r = np.corrcoef(gloss.T)
    assert r[0, 1] == pytest.approx(6 / np.pi * np.arcsin(-0.45), abs=0.03)
    assert r[2, 3] == pytest.approx(6 / np.pi * np.arcsin(-0.45), abs=0.03)
    assert np.abs(r[:2, 2:]).max() < 5 / np.sqrt(1000)


def test_shared_draws_are_one_draw() -> None:
    world = replace(NOMINAL, lamps=(LampParams("a"), LampParams("b")))
    channels = (
        Channel("light.rgb", Temperature(2700.0, 6500.0)),
        Channel("lamps.*.rgb", Temperature(2700.0, 6500.0)),
        Channel("lamps.*.strength", Uniform(0.0, 1.0)),
    )
    shared = (Shared("warmth", ("light.rgb", "lamps.*.rgb")), Shared("power", ("lamps.*.strength",)))
    worlds = WorldSampler(RandomizationSpec("test", channels, (), shared), world).sample_many(0, range(20))
    for w in worlds:
        assert w.light.rgb == w.lamps[0].rgb == w.lamps[1].rgb
        assert w.lamps[0].strength == w.lamps[1].strength
    assert len({w.light.rgb for w in worlds}) == 20
    warmth = [w.light.rgb[2] for w in worlds]
    assert abs(np.corrcoef(warmth, [w.lamps[0].strength for w in worlds])[0, 1]) < 0.8


AMBIENT = Channel("light.ambient", Uniform(0.2, 0.6))
DIFFUSE = Channel("light.diffuse", Uniform(0.2, 0.6))
SQUARE = ((1.0, 0.5), (0.5, 1.0))


@pytest.mark.parametrize(
    ("channels", "groups", "message"),
    [
        ((AMBIENT,), (Correlation("g", ("light.ambient", "light.diffuse"), SQUARE),), "no channel draws light.diffuse"),
        (
            (AMBIENT, Channel("light.rgb", Uniform(0.0, 1.0))),
            (Correlation("g", ("light.ambient", "light.rgb[3]"), SQUARE),),
            r"light.rgb has 3 elements, got \[3\]",
        ),
        (
            (AMBIENT, Channel("light.rgb", Temperature(3000.0, 6000.0))),
            (Correlation("g", ("light.ambient", "light.rgb"), SQUARE),),
            "light.rgb is drawn whole from colour of 3000 to 6000 K and has no elements to correlate",
        ),
        (
            (AMBIENT, Channel("joints.*.position", Uniform(0.0, 1.0))),
            (Correlation("g", ("light.ambient", "joints.*.position"), SQUARE),),
            "targets must stand for as many values each",
        ),
        (
            (AMBIENT, DIFFUSE, Channel("light.specular", Uniform(0.0, 1.0))),
            (
                Correlation("f", ("light.ambient", "light.specular"), SQUARE),
                Correlation("g", ("light.ambient", "light.diffuse"), SQUARE),
            ),
            "light.ambient or another of it is in two groups",
        ),
        (
            (AMBIENT, replace(DIFFUSE, every="step")),
            (Correlation("g", ("light.ambient", "light.diffuse"), SQUARE),),
            "its channels must be redrawn equally often",
        ),
    ],
)
def test_a_correlation_that_cannot_be(
    channels: tuple[Channel, ...], groups: tuple[Correlation, ...], message: str
) -> None:
    with pytest.raises(InputError, match=f"^randomization test: correlation 'g': {message}"):
        WorldSampler(RandomizationSpec("test", channels, groups), NOMINAL)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (("light.ambient", "light.diffuse"), "shared 'g': no channel draws light.diffuse"),
        (("light.ambient", "light.ambient"), "light.ambient is in two groups, second 'g'"),
    ],
)
def test_shared_draws_that_cannot_be(targets: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=f"^randomization test: {message}"):
        WorldSampler(RandomizationSpec("test", (AMBIENT,), (), (Shared("g", targets),)), NOMINAL)


@pytest.mark.parametrize(
    ("targets", "matrix", "message"),
    [
        (("a",), ((1.0,),), r"needs two or more different targets, got \['a'\]"),
        (("a", "a"), SQUARE, "needs two or more different targets"),
        (("a", "b", "c"), SQUARE, "needs a matrix of 3 rows of 3"),
        (("a", "b"), ((1.0, 0.5), (0.4, 1.0)), "needs a symmetric matrix with 1 on its diagonal"),
        (("a", "b"), ((2.0, 0.5), (0.5, 2.0)), "needs a symmetric matrix with 1 on its diagonal"),
        (
            ("a", "b", "c"),
            ((1.0, 0.9, -0.9), (0.9, 1.0, 0.9), (-0.9, 0.9, 1.0)),
            "needs a positive definite matrix, its smallest eigenvalue is -0.8; no variables have these correlations",
        ),
    ],
)
def test_a_matrix_of_no_correlations(targets: tuple[str, ...], matrix: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^correlation 'g' {message}"):
        Correlation("g", targets, matrix)


def test_strength_goes_from_the_nominal_world_to_the_draw() -> None:
    channels = (*CHANNELS, Channel("bodies.cube.size_scale", Uniform(0.8, 1.2, 0.02)))
    sampler = WorldSampler(spec(*channels), NOMINAL)
    full = sampler.sample_many(0, range(400))
    none = sampler.sample_many(0, range(400), 0.0)
    half = sampler.sample_many(0, range(400), 0.5)
    for f, n, h in zip(full, none, half, strict=True):
        assert paths(n) == paths(NOMINAL)
        assert n.noise_seed == f.noise_seed
        assert h.light.ambient == pytest.approx((f.light.ambient + 0.5) / 2)
        np.testing.assert_allclose(h.body("cube").rgb, (np.array(f.body("cube").rgb) + np.array([0.2, 0.4, 0.8])) / 2)
        assert h.light.shadow in (f.light.shadow, True)
        assert h.body("wall").texture in (f.body("wall").texture, "none")
        assert h.body("cube").size_scale / 0.02 == pytest.approx(round(h.body("cube").size_scale / 0.02))
    changed = np.mean([h.light.shadow is False for h in half])
    assert changed == pytest.approx(np.mean([f.light.shadow is False for f in full]) / 2, abs=0.08)
    assert sampler.sample_many(0, range(3), np.array([0.0, 0.5, 1.0])) == [none[0], half[1], full[2]]


@pytest.mark.parametrize(
    "values",
    [
        {"every": "interval"},
        {"interval_s": 1.0},
        {"every": "interval", "interval_s": 1.0, "interval_steps": 2},
        {"every": "interval", "interval_s": 0.0},
    ],
)
def test_an_interval_has_one_length(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^every 'interval' needs one of interval_s and interval_steps, above 0"):
        Channel("light.ambient", Fixed(0.5), **values)
