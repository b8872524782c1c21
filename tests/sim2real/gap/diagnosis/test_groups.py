"""Free numbers of groups: nominal at zero, within limits, and paths that the world has."""

import numpy as np
import pytest

from calibration.kinematics import nominal_world
from calibration.rig_file import load_rig
from calibration.world import paths, with_values
from sim2real.gap.diagnosis.groups import Group, added, clipped, one_of, scaled, size_of, uniform
from sim2real.gap.diagnosis.seeing_groups import seeing_groups


def test_parts_are_nominal_at_zero_and_move_by_their_scale() -> None:
    assert added("a", 2.0, 0.5).values(np.array([-2.0])) == {"a": 1.0}
    assert added("a", (1.0, 2.0), 0.5).values(np.array([0.0, 2.0])) == {"a": (1.0, 3.0)}
    assert scaled("a", 2.0, 0.5).values(np.zeros(1)) == {"a": 2.0}
    assert scaled("a", 2.0, 0.5).values(np.array([2.0]))["a"] == pytest.approx(2 * np.e)
    assert clipped("a", (0.5,), 1.0, 0.1, 0.9).values(np.array([7.0])) == {"a": (0.9,)}
    assert size_of("a", 3.0).values(np.array([-2.0])) == {"a": 6.0}


def test_uniform_reaches_its_limits_and_is_uniform() -> None:
    part = uniform("a", (0.0, -1.0), (2.0, 1.0))
    assert part.values(np.array([-9.0, 9.0]))["a"] == pytest.approx((0.0, 1.0))
    drawn = np.array([part.values(u)["a"] for u in np.random.default_rng(0).normal(size=(4000, 2))])
    assert drawn.mean(axis=0) == pytest.approx([1.0, 0.0], abs=0.05)
    assert drawn.std(axis=0) == pytest.approx([2 / np.sqrt(12)] * 2, abs=0.03)


def test_one_of_is_nominal_about_zero_and_takes_each_equally_often() -> None:
    part = one_of("t", "none", ("a", "b", "c", "d"))
    assert part.values(np.zeros(1)) == {"t": "none"}
    drawn = [part.values(u)["t"] for u in np.random.default_rng(0).normal(size=(5000, 1))]
    shares = [drawn.count(name) / 5000 for name in ("none", "a", "b", "c", "d")]
    assert shares == pytest.approx([0.2] * 5, abs=0.02)
    assert part.values(np.array([40.0])) == {"t": "d"}


def test_a_group_gives_each_part_its_own_numbers() -> None:
    group = Group("g", (added("a", 0.0, 1.0), added("b", (0.0, 0.0), 1.0)))
    assert group.size == 3
    assert group.values(np.array([1.0, 2.0, 3.0])) == {"a": 1.0, "b": (2.0, 3.0)}


@pytest.mark.parametrize("name", ["cube_on_table", "psm_tool", "panda_tabletop"])
def test_groups_of_seeing_are_the_nominal_world_at_zero(name: str) -> None:
    rig = load_rig(name)
    nominal = nominal_world(rig)
    known = paths(nominal)
    groups = seeing_groups(rig, nominal)
    assert len({g.name for g in groups}) == len(groups)
    touched: set[str] = set()
    for group in groups:
        values = group.values(np.zeros(group.size))
        # Each value belongs to one group, so that a difference has one name.
        assert not touched & set(values)
        touched |= set(values)
        if group.name != "distractors":
            assert all(
                known[path] == pytest.approx(v) if not isinstance(v, str) else known[path] == v
                for path, v in values.items()
            )
        rng = np.random.default_rng(0)
        with_values(nominal, group.values(rng.normal(size=group.size)))


def test_a_station_without_a_surface_has_no_texture() -> None:
    def names(rig_name: str) -> set[str]:
        rig = load_rig(rig_name)
        return {g.name for g in seeing_groups(rig, nominal_world(rig))}

    assert "texture" in names("cube_on_table")
    assert "texture" not in names("psm_tool")
