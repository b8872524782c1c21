import pytest

from calibration.errors import InputError
from sim2real.adaptation.methods import Training, chain


def test_image_level_methods_share_a_training() -> None:
    assert chain(["background", "colour"]) == [Training(("background", "colour"))]


def test_no_method_is_an_error_that_lists_them() -> None:
    with pytest.raises(InputError, match="methods must name at least one of simulation, background"):
        chain([])


def test_an_unknown_method_is_an_error_that_lists_them() -> None:
    with pytest.raises(InputError, match=r"method must be one of simulation, .*got 'gan'"):
        chain(["colour", "gan"])
