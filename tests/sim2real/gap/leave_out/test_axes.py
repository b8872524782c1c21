"""Which paths a group of axes has, and that holding them leaves every other draw as it was."""

from __future__ import annotations

import pytest

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.rig_file import load_rig
from calibration.world import paths
from sim2real.axis_list import GROUPS
from sim2real.gap.leave_out.axes import chosen_axes, groups_of, held_at_nominal
from sim2real.presets import load_preset, rig_spec
from sim2real.randomization import RandomizationSpec, WorldSampler

CASES = [("cube_on_table", "wide"), ("psm_tool", "glossy"), ("cube_on_table", "everything")]


def spec_of(rig_name: str, preset: str) -> tuple[object, RandomizationSpec]:
    rig = load_rig(rig_name)
    return rig, rig_spec(rig, load_preset(preset))


@pytest.mark.parametrize(("rig_name", "preset"), CASES)
def test_groups_share_out_all_that_varies_but_what_is_to_be_learned(rig_name: str, preset: str) -> None:
    rig = load_rig(rig_name)
    spec = rig_spec(rig, load_preset(preset))
    groups = groups_of(rig, spec)
    varied = set(WorldSampler(spec, nominal_world(rig)).channels)
    grouped = [p for listed in groups.values() for p in listed]
    assert len(grouped) == len(set(grouped))
    placed = varied - set(grouped)
    expected = {
        "cube_on_table": {"bodies.cube.position_m", "bodies.cube.rpy_rad"},
        "psm_tool": {f"joints.{j}.position" for j in ("yaw", "pitch", "insertion")},
    }[rig_name]
    assert placed == expected
    assert set(groups) <= set(GROUPS)
    assert all(p.startswith("camera.") for p in groups["camera"])
    assert all("distractor" in p for p in groups["distractors"])
    assert {"bodies.distractor0.present", "bodies.distractor0.rgb"} <= set(groups["distractors"])
    assert {"light.azimuth_rad", "light.rgb"} <= set(groups["lights"])
    assert set(groups["background"]) >= {"background.rgb", "background.texture"}


@pytest.mark.parametrize(("rig_name", "preset"), CASES)
def test_what_is_held_is_nominal_and_the_rest_is_drawn_value_by_value_as_before(rig_name: str, preset: str) -> None:
    rig = load_rig(rig_name)
    spec = rig_spec(rig, load_preset(preset))
    world, groups = nominal_world(rig), groups_of(rig, spec)
    nominal = paths(world)
    before = [paths(w) for w in WorldSampler(spec, world).sample_many(3, range(6))]
    for name, held in groups.items():
        found = held_at_nominal(rig, spec, name, held)
        assert found.name == f"{spec.name} without {name}"
        drawn = WorldSampler(found, world).sample_many(3, range(6))
        for was, now in zip(before, map(paths, drawn), strict=True):
            assert all(now[p] == nominal[p] for p in held)
            assert all(now[p] == was[p] for p in was if p not in held)
        assert any(was[p] != nominal[p] for was in before for p in held)


def test_axes_may_be_groups_or_fields() -> None:
    groups = {"sensor": ("sensor.noise", "sensor.gamma"), "looks": ("bodies.a.rgb", "bodies.b.rgb", "bodies.a.texture")}
    assert chosen_axes(groups, ()) == groups
    assert chosen_axes(groups, ("sensor.noise", "looks")) == {
        "sensor.noise": ("sensor.noise",),
        "looks": groups["looks"],
    }
    assert chosen_axes(groups, ("bodies.rgb",)) == {"bodies.rgb": ("bodies.a.rgb", "bodies.b.rgb")}
    with pytest.raises(InputError, match=r"groups that vary \(sensor, looks\) .* got 'lens'"):
        chosen_axes(groups, ("lens",))
    with pytest.raises(InputError, match="each axis once"):
        chosen_axes(groups, ("looks", "looks"))
