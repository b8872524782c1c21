from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.errors import InputError
from envs.textures import KINDS, texture_files, texture_picture


@pytest.mark.parametrize("kind", KINDS)
def test_a_texture_is_a_function_of_its_name(kind: str) -> None:
    picture = texture_picture(f"{kind}:3")
    assert picture.shape == (128, 128, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 2, "it shows something"
    np.testing.assert_array_equal(picture, texture_picture(f"{kind}:3"))
    assert (picture != texture_picture(f"{kind}:4")).mean() > 0.2


def test_a_texture_that_is_kept_cannot_be_painted_over() -> None:
    with pytest.raises(ValueError, match="read-only"):
        texture_picture("noise:1")[0] = 0


@pytest.mark.parametrize("name", ["wood:1", "noise", "noise:", "noise:x", "noise:-1", ""])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="texture must be 'KIND:NUMBER' with KIND one of noise, gradient, checker"):
        texture_picture(name)


def test_pictures_of_a_folder(tmp_path: Path) -> None:
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 2] = 200  # OpenCV writes blue first
    cv2.imwrite(str(tmp_path / "b.png"), red)
    cv2.imwrite(str(tmp_path / "a.JPG"), red)
    (tmp_path / "notes.txt").write_text("no picture")
    names = texture_files(tmp_path)
    assert names == [f"file:{(tmp_path / n).resolve()}" for n in ("a.JPG", "b.png")]
    picture = texture_picture(names[1])
    assert picture.shape == (128, 128, 3)
    np.testing.assert_array_equal(picture.reshape(-1, 3), np.tile([200, 0, 0], (128 * 128, 1)))


def test_a_broken_picture_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"texture must be an image file, got .*broken\.png"):
        texture_picture(texture_files(tmp_path)[0])
