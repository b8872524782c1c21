import numpy as np
import pytest

from calibration.dynamics.feasible import (
    base_parameters,
    is_feasible,
    link_masses,
    nearest_feasible,
    rig_of,
    uniform_rods,
)
from calibration.dynamics.model import ArmModel

MODEL = ArmModel((0.2, 0.3))


def test_uniform_rods_come_back_as_they_went():
    parameters = uniform_rods(MODEL, [0.4, 0.6])
    assert np.allclose(link_masses(MODEL, parameters), [(0.4, 0.1, 0.4 * 0.04 / 12), (0.6, 0.15, 0.6 * 0.09 / 12)])


def test_a_rig_moves_as_its_parameters_say():
    parameters = np.array([0.0531, 0.2085, 0.048, 0.1555, 0.007, 0.25, -0.02, 0.002, 0.18, 0.01])
    rig = rig_of(MODEL, parameters, "arm", "identified", (10.0, 0.0))
    expected = parameters.copy()
    expected[[6, 9]] = 0.0
    assert np.allclose(base_parameters(MODEL, rig.links), expected)
    assert [link.length_m for link in rig.links] == [0.2, 0.3]


@pytest.mark.parametrize("wrong", [(0, -0.01), (2, -0.01), (1, 0.01), (5, -0.02), (7, -0.02)])
def test_what_no_body_has_is_moved_to_the_nearest_that_one_has(wrong):
    parameters = np.array([0.0531, 0.2085, 0.048, 0.1555, 0.007, 0.25, -0.02, 0.002, 0.18, 0.01])
    column, value = wrong
    parameters[column] = value
    assert not is_feasible(MODEL, parameters)
    moved = nearest_feasible(MODEL, parameters, np.eye(10) * 1e6)
    assert is_feasible(MODEL, moved)
    with pytest.raises(ValueError, match="must be feasible"):
        rig_of(MODEL, parameters, "arm", "", (1.0, 1.0))


def test_friction_that_falls_with_speed_may_be_while_it_takes_energy():
    parameters = np.array([0.0531, 0.2085, 0.048, 0.1555, 0.007, 0.25, 0.0, -0.004, 0.18, 0.0])
    assert is_feasible(MODEL, parameters, speed_rad_s=40.0)
    assert not is_feasible(MODEL, parameters, speed_rad_s=50.0)
