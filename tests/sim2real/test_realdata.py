"""Folders of photographs: what is read from them, and one clear line for everything that can be wrong."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.rig import Rig
from calibration.rig_file import load_rig
from sim2real.realdata import load_real, stack_pictures

HEADER = "file,grid_x,grid_y,x_m,y_m,z_m,visible"
RGB = (200, 120, 40)


def picture(width: int = 640, height: int = 480) -> NDArray[np.uint8]:
    return np.full((height, width, 3), RGB[::-1], np.uint8)  # OpenCV writes BGR


@pytest.fixture(scope="module")
def rig() -> Rig:
    return load_rig("cube_on_table")


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Return a folder of three photographs for the cube's rig."""
    folder = tmp_path / "pack"
    (folder / "images").mkdir(parents=True)
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(folder / "images" / name), picture())
    write_rows(folder, "images/a.png,0,3,-0.5,0.16,0.33,full", "images/b.png,1,4,-0.65,0.01,0.33,clipped")
    return folder


def write_rows(folder: Path, *rows: str, header: str = HEADER) -> None:
    (folder / "labels.csv").write_text("\n".join((header, *rows)) + "\n")


def test_frame_holds_what_the_row_says(pack: Path, rig: Rig) -> None:
    data = load_real(pack, rig)
    assert [f.file for f in data.frames] == ["images/a.png", "images/b.png"]
    assert data.left_out == data.faulty == data.notes == ()
    first, second = data.frames
    assert first.picture.shape == (120, 160, 3)
    assert first.picture.dtype == np.uint8
    np.testing.assert_array_equal(first.picture[60, 80], RGB)
    np.testing.assert_array_equal(second.point_m, [-0.65, 0.01, 0.33])
    # The robot's base plate, where z of the labels starts, is 0.6 m above the world's floor.
    np.testing.assert_allclose(second.keypoints_world, [[-0.65, 0.01, 0.93]], atol=1e-12)
    assert (first.group, second.group) == ("3", "4")
    assert (first.visible, second.visible) == ("full", "clipped")
    assert first.joints is None
    assert first.sha256 == hashlib.sha256((pack / "images" / "a.png").read_bytes()).hexdigest()
    assert data.unlabelled[0].shape == (480, 640, 3)
    assert stack_pictures(data.frames).shape == (2, 120, 160, 3)


def test_hidden_target_is_left_out_and_needs_no_label(pack: Path, rig: Rig) -> None:
    write_rows(pack, "images/a.png,0,3,-0.5,0.16,0.33,full", "images/b.png,1,4,?,?,?,none")
    data = load_real(pack, rig)
    assert [f.file for f in data.frames] == ["images/a.png"]
    assert data.left_out == (("images/b.png", "no visible target"),)
    assert len(data.unlabelled) == 2


@pytest.mark.parametrize("how", ["bom", "crlf", "spaces", "columns in another order", "blank line"])
def test_csv_as_other_programs_write_it(how: str, pack: Path, rig: Rig) -> None:
    text = (pack / "labels.csv").read_text()
    if how == "bom":
        text = "\ufeff" + text
    elif how == "crlf":
        text = text.replace("\n", "\r\n")
    elif how == "spaces":
        text = text.replace(",", " , ")
    elif how == "blank line":
        text = text.replace("\n", "\n\n")
    else:
        rows = [line.split(",") for line in text.splitlines()]
        text = "".join(",".join(row[::-1]) + "\n" for row in rows)
    (pack / "labels.csv").write_bytes(text.encode("utf-8"))
    points = [f.point_m.tolist() for f in load_real(pack, rig).frames]
    assert points == [[-0.5, 0.16, 0.33], [-0.65, 0.01, 0.33]]


def replace_text(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / "labels.csv").read_text()
        assert old in text
        (folder / "labels.csv").write_text(text.replace(old, new))

    return change


def write_image(name: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "images" / name).write_bytes(content)
        text = (folder / "labels.csv").read_text().replace("images/b.png", f"images/{name}")
        (folder / "labels.csv").write_text(text)

    return change


def encoded(suffix: str, pixels: NDArray[np.generic]) -> bytes:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return bytes(data)


def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)


def remove_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def folder_is_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("not a folder")


BAD: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "no folder": (remove_folder, ("must be a folder", "found nothing at")),
    "folder is a file": (folder_is_file, ("must be a folder", "found a file at")),
    "no labels": (lambda f: (f / "labels.csv").unlink(), ("labels.csv", "No such file")),
    "missing column": (replace_text("y_m", "y"), ("labels.csv", "'y_m'", "cube_on_table", "found file, ")),
    "empty file": (lambda f: (f / "labels.csv").write_text(""), ("labels.csv", "no header")),
    "header only": (lambda f: write_rows(f), ("labels.csv", "at least one row")),
    "latin-1": (lambda f: (f / "labels.csv").write_bytes(b"file,\xe9\n"), ("cannot read", "labels.csv")),
    "nan": (replace_text("0.01", "nan"), ("labels.csv line 3", "y_m must be a number", "'nan'")),
    "infinite": (replace_text("-0.65", "1e999"), ("labels.csv line 3", "x_m must be a number", "'1e999'")),
    "text": (replace_text("-0.5,", "left,"), ("labels.csv line 2", "x_m must be a number", "'left'")),
    "short row": (replace_text("-0.65,0.01,0.33,clipped", "-0.65"), ("line 3", "y_m must be a number", "''")),
    "same image twice": (replace_text("images/b", "images/a"), ("line 3", "images/a.png", "already, line 2")),
    "no image": (replace_text("images/b", "images/z"), ("labels.csv line 3", "no file", "z.png")),
    "no image name": (replace_text("images/b.png", ""), ("labels.csv line 3", "file must be an image")),
    "cut JPEG": (write_image("b.jpg", encoded(".jpg", noise())[:60000]), ("b.jpg", "cut off", "again")),
    "cut PNG": (write_image("b.png", encoded(".png", noise())[:60000]), ("b.png", "cut off", "again")),
    "no picture": (write_image("b.png", b"hello"), ("b.png", "must be a picture", "something else")),
    "zero bytes": (write_image("b.jpg", b""), ("b.jpg", "must be a picture", "something else")),
    "other aspect": (write_image("b.png", encoded(".png", picture(640, 400))), ("640x480", "640x400")),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line(name: str, pack: Path, rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
    change, words = BAD[name]
    change(pack)
    with pytest.raises(InputError) as error:
        load_real(pack, rig)
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text


@pytest.mark.parametrize(
    ("pixels", "note", "colour"),
    [
        (picture()[..., 0], "grey to three channels", (40, 40, 40)),
        (np.dstack([picture(), picture()[..., 0]]), "fourth channel dropped", RGB),
        (picture().astype(np.uint16) * 257, "16 bits to 8", RGB),
        (picture()[..., 0].astype(np.uint16) * 257, "16 bits to 8, grey to three channels", (40, 40, 40)),
        (picture(1280, 960), "resized from 1280x960 to 640x480", RGB),
        (picture(320, 240), "resized from 320x240 to 640x480", RGB),
    ],
    ids=["grey", "alpha", "16 bit", "grey 16 bit", "twice as large", "half as large"],
)
def test_conversions_are_noted(
    pixels: NDArray[np.generic], note: str, colour: tuple[int, int, int], pack: Path, rig: Rig
) -> None:
    cv2.imwrite(str(pack / "images" / "b.png"), pixels)
    data = load_real(pack, rig)
    assert data.notes == (f"images/b.png: {note}",)
    np.testing.assert_array_equal(data.frames[1].picture[60, 80], colour)


def test_faulty_frame_is_named_and_not_used(pack: Path, rig: Rig) -> None:
    rows = []
    for k in range(6):
        pixels = noise() // 4 + 90
        cv2.imwrite(str(pack / "images" / f"{k}.png"), pixels[..., ::-1] // (1, 1, 2) if k == 4 else pixels)
        rows.append(f"images/{k}.png,0,{k},-0.5,0.1,0.33,full")
    write_rows(pack, *rows)
    data = load_real(pack, rig)
    assert [name for name, _ in data.faulty] == ["images/4.png"]
    assert "colour cast" in data.faulty[0][1]
    assert [f.file for f in data.frames] == [f"images/{k}.png" for k in (0, 1, 2, 3, 5)]
    assert len(data.unlabelled) == 6


@pytest.mark.real
def test_cube_photographs(real_data: Path, rig: Rig) -> None:
    folder = real_data / "cube_on_table"
    data = load_real(folder, rig)
    assert len(data.frames) == 32
    assert data.left_out == (("images/4-0.jpg", "no visible target"),)
    assert data.faulty == ()
    assert data.notes == ()
    for frame in data.frames:
        row, column = (int(v) for v in Path(frame.file).stem.split("-"))
        np.testing.assert_allclose(frame.point_m, [-0.5 - 0.15 * row, 0.61 - 0.15 * column, 0.33], atol=1e-9)
        assert frame.group == str(column)


@pytest.mark.real
def test_fault_of_tool_photographs_is_found_untold(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "dvrk_psm_tool"
    with (source / "labels.csv").open(newline="") as file:
        rows = [{k: v for k, v in row.items() if k != "image_fault"} for row in csv.DictReader(file)]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "rgb").symlink_to(source / "rgb")
    data = load_real(tmp_path, load_rig("psm_tool"))
    assert [name for name, _ in data.faulty] == ["rgb/frame01.jpg"]
    assert len(data.frames) == 29
    assert data.left_out == ()
    for frame in data.frames:
        row = next(r for r in rows if r["rgb"] == frame.file)
        assert frame.joints == {
            "yaw": float(row["q1_rad"]),
            "pitch": float(row["q2_rad"]),
            "insertion": float(row["q3_m"]),
        }
        # The balls sit on the shaft, 17 and 67 mm from joint 4 towards the remote centre, the base's origin.
        joint4 = np.array([float(row[f"base_{axis}_m"]) for axis in "xyz"])
        to_centre = -joint4 / np.linalg.norm(joint4)
        balls = np.array([joint4 + 0.017 * to_centre, joint4 + 0.067 * to_centre])
        np.testing.assert_allclose(frame.keypoints_world, balls, atol=1e-6)
