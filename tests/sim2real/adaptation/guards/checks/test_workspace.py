import numpy as np
import pytest

from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.view import CameraView
from sim2real.adaptation.guards.checks.workspace import Workspace, joints_outside, off_picture


@pytest.fixture(scope="module")
def cube() -> Rig:
    return load_rig("cube_on_table")


def test_the_workspace_is_that_of_the_placements(cube: Rig) -> None:
    space = Workspace.of(cube)
    # Of 128 draws the outermost lie within a few percent of the ends; labels count from the robot's base plate.
    assert np.allclose(space.low, (-1.30, -0.66, 0.33), atol=0.05)
    assert np.allclose(space.high, (-0.46, 0.66, 0.33), atol=0.05)
    assert (space.low >= np.array([-1.30, -0.66, 0.33]) - 1e-9).all()


def test_what_is_outside(cube: Rig) -> None:
    space = Workspace.of(cube)
    inside, slightly, far, nan = space.centre, space.high + space.slack_m / 2, space.high + 2.0, np.full(3, np.nan)
    assert space.outside([inside, slightly, far, nan]).tolist() == [False, False, True, True]


def test_joints_beyond_their_limits() -> None:
    rig = load_rig("psm_tool")
    assert joints_outside(rig, {"yaw": -0.5, "pitch": 0.1, "insertion": 0.2}) == []
    assert joints_outside(rig, {"yaw": -28.6, "pitch": 0.1, "insertion": 200.0}) == ["yaw", "insertion"]


def test_what_is_off_the_picture(cube: Rig) -> None:
    view = CameraView.of(cube).resized(*cube.input_size_px)
    seen, behind, aside = (-0.88, 0.0, 0.93), (-3.0, 0.0, 1.62), (-0.88, 5.0, 0.93)
    assert off_picture(view, [[seen], [behind], [aside]]).tolist() == [False, True, True]
