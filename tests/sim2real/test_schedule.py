import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from calibration.kinematics import nominal_world
from calibration.rig_file import load_rig
from calibration.world import BodyParams, WorldParams, paths
from sim2real.correlation import Correlation
from sim2real.distributions import Uniform
from sim2real.presets import load_preset, rig_spec
from sim2real.randomization import Channel, RandomizationSpec, WorldSampler
from sim2real.schedule import Curriculum, ScheduledSampler

NOMINAL = WorldParams((BodyParams("cube", "object"),))
WIDE = Uniform(0.0, 1.0)
SPEC = RandomizationSpec(
    "test",
    (
        Channel("light.ambient", WIDE),
        Channel("light.diffuse", WIDE, every="interval", interval_s=0.3),
        Channel("light.specular", WIDE, every="interval", interval_steps=4),
        Channel("bodies.cube.roughness", WIDE, every="step"),
        Channel("bodies.cube.metallic", WIDE, every="step"),
        Channel("sensor.haze", WIDE, every="frame"),
    ),
    (Correlation("gloss", ("bodies.cube.roughness", "bodies.cube.metallic"), ((1.0, 0.999), (0.999, 1.0))),),
)
LIGHT: Callable[[WorldParams], tuple[Any, ...]] = lambda w: (  # noqa: E731
    w.light.ambient,
    w.light.diffuse,
    w.light.specular,
    w.body("cube").roughness,
    w.sensor.haze,
)


def runs(values: list[Any]) -> list[int]:
    """Return how long each value lasts; each must be new."""
    lengths: list[int] = []
    for k, value in enumerate(values):
        if k and value == values[k - 1]:
            lengths[-1] += 1
        else:
            assert value not in values[:k]
            lengths.append(1)
    return lengths


def test_each_channel_is_renewed_in_its_own_time() -> None:
    sampler = ScheduledSampler(SPEC, NOMINAL, 5)
    # Ten steps a second, added up as a simulation does; a picture with every second step.
    times = np.cumsum([0.0] + [0.1] * 11).tolist()
    worlds = [sampler.world(2, k, times[k], k // 2) for k in range(12)]
    columns = [list(c) for c in zip(*map(LIGHT, worlds), strict=True)]
    assert [runs(c) for c in columns] == [[12], [3, 3, 3, 3], [4, 4, 4], [1] * 12, [2] * 6]
    assert runs([w.noise_seed for w in worlds]) == [2] * 6
    gloss = np.array([(w.body("cube").roughness, w.body("cube").metallic) for w in worlds])
    assert np.abs(gloss[:, 0] - gloss[:, 1]).max() < 0.1


def test_it_is_a_function_of_the_moment_alone() -> None:
    one, other = ScheduledSampler(SPEC, NOMINAL, 5), ScheduledSampler(SPEC, NOMINAL, 5)
    moments = [(e, s, 0.1 * s, s) for e in range(3) for s in range(6)]
    forward = {m: one.world(*m) for m in moments}
    for k in np.random.default_rng(0).permutation(len(moments)):
        assert other.world(*moments[k]) == forward[moments[k]]
    assert LIGHT(ScheduledSampler(SPEC, NOMINAL, 6).world(0)) != LIGHT(one.world(0))
    assert len({w.light.ambient for w in forward.values()}) == 3
    assert len({w.body("cube").roughness for w in forward.values()}) == 18


def test_an_episode_begins_with_the_world_of_its_number() -> None:
    rig = load_rig("cube_on_table")
    spec, nominal = rig_spec(rig, load_preset("everything")), nominal_world(rig)
    scheduled, sampler = ScheduledSampler(spec, nominal, 7), WorldSampler(spec, nominal)
    for episode in range(3):
        assert scheduled.world(episode) == sampler.sample(7, episode)
    before, after = paths(scheduled.world(1)), paths(scheduled.world(1, 1))
    assert {p for p in before if before[p] != after[p]} == {p for p, c in sampler.channels.items() if c.every == "step"}


def test_restored_it_is_nominal() -> None:
    sampler = ScheduledSampler(SPEC, NOMINAL, 5)
    sampler.world(3, 4)
    assert sampler.restore() is NOMINAL


def test_strength_and_curriculum() -> None:
    full = ScheduledSampler(SPEC, NOMINAL, 5)
    weak = ScheduledSampler(SPEC, NOMINAL, 5, 0.25)
    nominal = np.array(LIGHT(NOMINAL))
    assert paths(ScheduledSampler(SPEC, NOMINAL, 5, 0.0).world(3, 7, 0.7)) == paths(NOMINAL)
    np.testing.assert_allclose(
        np.array(LIGHT(weak.world(3, 7, 0.7))) - nominal, 0.25 * (np.array(LIGHT(full.world(3, 7, 0.7))) - nominal)
    )
    growing = ScheduledSampler(SPEC, NOMINAL, 5, Curriculum(0.2, 1.0, 8))
    assert [growing.strength(e) for e in (0, 4, 8, 100)] == pytest.approx([0.2, 0.6, 1.0, 1.0])
    for episode in (0, 3, 8):
        moved = np.array(LIGHT(growing.world(episode))) - nominal
        whole = np.array(LIGHT(full.world(episode))) - nominal
        np.testing.assert_allclose(moved, growing.strength(episode) * whole)


@pytest.mark.parametrize("strength", [-0.1, 1.1, math.nan])
def test_a_strength_outside_0_to_1(strength: float) -> None:
    with pytest.raises(ValueError, match="strength must be between 0 and 1, got"):
        ScheduledSampler(SPEC, NOMINAL, 5, strength)


@pytest.mark.parametrize("values", [(-0.1, 1.0, 5), (0.0, 1.5, 5), (0.0, 1.0, 0)])
def test_a_curriculum_that_cannot_be(values: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="curriculum needs start and end between 0 and 1 and episodes above 0, got"):
        Curriculum(*values)
