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


def test_methods_of_all_levels_share_a_training_in_order() -> None:
    names = ["histogram", "kliep", "daregram", "masked-patches", "batchnorm", "inverse-dynamics"]
    assert chain(names) == [
        Training(("histogram",), "kliep", "daregram", "masked-patches"),
        "batchnorm",
        Training(pretext="inverse-dynamics"),
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["masked-patches", "colour"],
            "image-level methods come before the others, got masked-patches and then colour",
        ),
        (["masked-patches", "kmm"], "a weighting comes once and before feature-level and self-supervised methods"),
        (["masked-patches", "mmd"], "a feature-level method comes before a self-supervised one, got masked-patches"),
        (["masked-patches", "inverse-dynamics"], "a training takes one self-supervised method, got masked-patches"),
        (["mmd", "dann"], "a training takes one feature-level method, got mmd and dann"),
        (["mmd", "colour"], "image-level methods come before the others, got mmd and then colour"),
    ],
)
def test_an_order_that_makes_no_sense_is_an_error(names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        chain(names)
