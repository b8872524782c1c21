import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.rig import Placement
from calibration.rig_file import load_rig
from calibration.world import changed_values, paths, with_values
from sim2real.adaptation.self_supervised.moments import SimulatedMoments
from sim2real.adaptation.self_supervised.state import check_measured, measured_state, state_components, state_of
from sim2real.presets import load_preset, rig_spec

TOOL, CUBE = load_rig("psm_tool"), load_rig("cube_on_table")


def moments(rig, maps=()) -> SimulatedMoments:
    return SimulatedMoments(rig, [rig_spec(rig, load_preset(rig.preset))], maps, 3, "cpu")


def test_components_are_placed_joints_and_coordinates_with_a_range() -> None:
    tool = state_components(TOOL)
    assert [(c.path, c.element, c.column) for c in tool] == [
        ("joints.yaw.position", None, "q1_rad"),
        ("joints.pitch.position", None, "q2_rad"),
        ("joints.insertion.position", None, "q3_m"),
    ]
    assert tool[0].spread == pytest.approx(0.4 / math.sqrt(6))
    # The cube stays on the table.
    assert [(c.path, c.element) for c in state_components(CUBE)] == [
        ("bodies.cube.position_m", 0),
        ("bodies.cube.position_m", 1),
    ]
    fixed = dataclasses.replace(TOOL, placements=(Placement(joint="yaw", range=(0.1, 0.1)),))
    assert state_components(fixed) == ()


def test_the_spread_is_that_of_differences() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-0.65, -0.25, (2, 20_000))
    assert state_components(TOOL)[0].spread == pytest.approx(float((a - b).std()), rel=0.02)


@pytest.mark.parametrize("rig", [TOOL, CUBE], ids=lambda r: r.name)
def test_between_two_moments_only_the_state_and_the_noise_change(rig) -> None:
    pairs = moments(rig)
    allowed = {c.path for c in pairs.components} | {"noise_seed"}
    for before, after in zip(*pairs.worlds(2, 6), strict=True):
        changed = set(changed_values(after, paths(before)))
        assert changed == allowed - {"noise_seed"}
        assert before.noise_seed != after.noise_seed
        for p in rig.placements:
            side = p.range or p.x_m
            path, element = (f"joints.{p.joint}.position", None) if p.joint else (f"bodies.{p.body}.position_m", 0)
            value = paths(after)[path] if element is None else paths(after)[path][element]
            assert side[0] <= value <= side[1]


def test_what_moved_is_in_units_of_the_spread() -> None:
    pairs = moments(TOOL)
    before, after = pairs.worlds(0, 3)
    found = pairs.batch(0, 3)
    pairs.close()
    for k in range(3):
        a, b = before[k].joint_positions(), after[k].joint_positions()
        wanted = [(b[c.path.split(".")[1]] - a[c.path.split(".")[1]]) / c.spread for c in pairs.components]
        np.testing.assert_allclose(found.moved[k], wanted)
    assert found.first.shape == found.second.shape == (3, 120, 160, 3)
    assert not np.array_equal(found.first, found.second)


def test_both_moments_get_the_same_looks() -> None:
    seen = []

    def note(pictures, rng):
        seen.append(rng.integers(1_000_000))
        return pictures

    pairs = moments(CUBE, (note,))
    for number in (0, 1):
        pairs.batch(number, 2)
    pairs.close()
    assert seen[0] == seen[1]
    assert seen[2] == seen[3] != seen[0]


def test_the_state_of_a_world() -> None:
    world = with_values(nominal_world(CUBE), {"bodies.cube.position_m": (-0.7, 0.2, 0.93)})
    np.testing.assert_array_equal(state_of(world, state_components(CUBE)), [-0.7, 0.2])


def test_measured_joints_are_read_by_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(
        "rgb,q1_rad,q2_rad,q3_m,base_x_m\na.jpg,0.1,0.2,0.3,nan\nb.jpg,0.4,0.5,0.6,spoilt\n"
    )
    state = measured_state(tmp_path, TOOL, ["b.jpg", "a.jpg"])
    np.testing.assert_array_equal(state, [[0.4, 0.5, 0.6], [0.1, 0.2, 0.3]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rgb,q1_rad,q2_rad,q3_m\na.jpg,0.1,wide,0.3\n", "line 2: q2_rad must be a number, got 'wide'"),
        ("rgb,q1_rad,q2_rad\na.jpg,0.1,0.2\n", "needs column 'q3_m' for rig psm_tool"),
    ],
)
def test_joints_that_cannot_be_read_are_an_error(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        measured_state(tmp_path, TOOL, ["a.jpg"])


def test_a_rig_without_measured_joints_is_refused() -> None:
    with pytest.raises(InputError, match="rig cube_on_table names no column for a placed joint"):
        check_measured(CUBE)
    check_measured(TOOL)
