import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.errors import InputError
from envs.textures import KINDS, background_picture, is_sky, sky_colours, texture_files, texture_picture


@pytest.mark.parametrize("kind", KINDS)
def test_a_texture_is_a_function_of_its_name(kind: str) -> None:
    picture = texture_picture(f"{kind}:3")
    assert picture.shape == (128, 128, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 2, "it shows something"
    np.testing.assert_array_equal(picture, texture_picture(f"{kind}:3"))
    assert (picture != texture_picture(f"{kind}:4")).mean() > 0.2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [32, 256])
def test_another_size_shows_the_same(kind: str, size: int) -> None:
    picture = texture_picture(f"{kind}:2", size)
    assert picture.shape == (size, size, 3)
    one, other = (
        cv2.resize(p, (16, 16), interpolation=cv2.INTER_AREA).astype(float)
        for p in (picture, texture_picture(f"{kind}:2"))
    )
    assert np.abs(one - other).mean() < 3.0


def test_a_texture_that_is_kept_cannot_be_painted_over() -> None:
    with pytest.raises(ValueError, match="read-only"):
        texture_picture("noise:1")[0] = 0


@pytest.mark.parametrize("name", ["sky:1", "velvet:1", "noise", "noise:", "noise:x", "noise:-1", ""])
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


def test_a_photograph_as_background_is_seen_whole_and_in_place(tmp_path: Path) -> None:
    photograph = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "empty.png"), photograph[..., ::-1])
    name = texture_files(tmp_path)[0]
    np.testing.assert_array_equal(background_picture(name, 40, 30), photograph)
    np.testing.assert_array_equal(background_picture(name, 20, 30), photograph[:, 10:30])


def test_another_background_is_stretched() -> None:
    picture = background_picture("planks:1", 64, 16)
    assert picture.shape == (16, 64, 3)
    np.testing.assert_allclose(picture.mean(axis=(0, 1)), texture_picture("planks:1").mean(axis=(0, 1)), atol=3.0)


def test_a_broken_picture_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"texture must be an image file, got .*broken\.png"):
        texture_picture(texture_files(tmp_path)[0])


def test_the_middle_of_a_picture_is_taken_undistorted(tmp_path: Path) -> None:
    """A disc in a wide picture stays a disc."""
    wide = np.zeros((100, 300, 3), np.uint8)
    cv2.circle(wide, (150, 50), 40, (255, 255, 255), -1)
    wide[:, :90] = (255, 0, 0)
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    cv2.imwrite(str(tmp_path / "tall.png"), wide.transpose(1, 0, 2))
    for name in texture_files(tmp_path):
        disc = texture_picture(name)[..., 0] > 127
        rows, columns = np.flatnonzero(disc.any(axis=1)), np.flatnonzero(disc.any(axis=0))
        assert abs(len(rows) - 0.8 * 128) <= 2
        assert abs(len(columns) - 0.8 * 128) <= 2
        assert texture_picture(name)[..., 2].mean() == pytest.approx(disc.mean() * 255, abs=2), (
            "the blue end is cut off"
        )


def test_a_file_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((20, 20, 3), 50, np.uint8))
    count = 0
    read = cv2.imread

    def counting(*arguments: object) -> object:
        nonlocal count
        count += 1
        return read(*arguments)

    monkeypatch.setattr(cv2, "imread", counting)
    name = texture_files(tmp_path)[0]
    assert all(texture_picture(name)[0, 0, 0] == 50 for _ in range(10))
    assert count == 1
    cv2.imwrite(str(path), np.full((20, 20, 3), 90, np.uint8))
    os.utime(path, ns=(1, 1))
    assert texture_picture(name)[0, 0, 0] == 90
    assert count == 2
    path.unlink()
    with pytest.raises(InputError, match=r"texture must be an image file, got .*a\.png"):
        texture_picture(name)


def test_a_sky_is_a_function_of_its_number() -> None:
    skies = np.stack([sky_colours(f"sky:{k}") for k in range(40)])
    assert skies.shape == (40, 4, 3)
    assert 0.0 <= skies.min() < 0.1
    assert 0.7 < skies.max() <= 1.0
    assert len(np.unique(skies.reshape(40, -1), axis=0)) == 40
    np.testing.assert_array_equal(sky_colours("sky:7"), sky_colours("sky:7"))
    assert (skies[1::2, 0, 2] >= skies[1::2, 0, 0] - 1e-9).all(), "no sky is redder above than it is blue"
    # Light comes from above, indoors and out.
    assert (skies[:, 1].mean(axis=1) > skies[:, 2].mean(axis=1)).mean() > 0.8
    with pytest.raises(ValueError, match="read-only"):
        sky_colours("sky:7")[0] = 0


@pytest.mark.parametrize("name", ["sky", "sky:", "sky:x", "noise:1", "none"])
def test_a_name_of_no_sky(name: str) -> None:
    assert not is_sky(name)
    with pytest.raises(ValueError, match="sky must be 'sky:NUMBER', got"):
        sky_colours(name)
