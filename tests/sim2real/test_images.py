"""Photographs are read whole or not at all."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.errors import InputError
from sim2real.images import read_image, resize


def encoded(suffix: str, pixels: NDArray[np.generic]) -> bytes:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return bytes(data)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, rows: bytes) -> bytes:
    """Return a PNG file made by hand from the standard, 8-bit RGB."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def read(folder: Path, name: str, content: bytes) -> tuple[NDArray[np.uint8], str | None]:
    (folder / name).write_bytes(content)
    return read_image(folder / name)


NOISE = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)


def test_channels_are_red_green_blue(tmp_path: Path) -> None:
    pixels, note = read(tmp_path, "a.png", png(2, 1, bytes([0, 10, 20, 30, 40, 50, 60])))
    assert pixels.tolist() == [[[10, 20, 30], [40, 50, 60]]]
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert note is None


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_lossless_formats_are_read_exactly(suffix: str, tmp_path: Path) -> None:
    pixels, _ = read(tmp_path, f"a{suffix}", encoded(suffix, NOISE))
    np.testing.assert_array_equal(pixels, NOISE[..., ::-1])


def test_sixteen_bits_keep_black_and_white(tmp_path: Path) -> None:
    grey = np.array([[0, 257 * 128, 65535]], np.uint16)
    pixels, note = read(tmp_path, "a.png", encoded(".png", grey))
    assert pixels[0, :, 0].tolist() == [0, 128, 255]
    assert note == "16 bits to 8, grey to three channels"


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_cut_file_is_an_error(suffix: str, share: float, tmp_path: Path) -> None:
    content = encoded(suffix, NOISE)
    with pytest.raises(InputError, match=rf"image .*a\{suffix} is cut off"):
        read(tmp_path, f"a{suffix}", content[: int(len(content) * share)])


def test_jpeg_with_a_few_bytes_after_its_end_is_whole(tmp_path: Path) -> None:
    pixels, note = read(tmp_path, "a.jpg", encoded(".jpg", NOISE) + b"\0" * 100)
    assert pixels.shape == NOISE.shape
    assert note is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        encoded(".bmp", NOISE)[:4000],
        png(100_000, 100_000, b"\0" * 100),
        encoded(".png", NOISE).replace(b"IDAT", b"IDAX", 1),
    ],
    ids=["nothing", "text", "cut BMP", "huge size", "damaged PNG"],
)
def test_no_picture_is_an_error(content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"image .*a\.png must be a picture") as error:
        read(tmp_path, "a.png", content)
    assert "\n" not in str(error.value)


def test_float_pixels_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="8 or 16 bits a channel, got float32"):
        read(tmp_path, "a.bmp", encoded(".tiff", NOISE.astype(np.float32)))


def test_missing_file_and_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read image .*a\.png: No such file"):
        read_image(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"cannot read image .*: Is a directory"):
        read_image(tmp_path)


def test_shrinking_averages_areas() -> None:
    board = np.indices((8, 8)).sum(axis=0) % 2 * 255
    picture = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    half = resize(picture, 4, 4)
    assert half.shape == (4, 4, 3)
    assert half.dtype == np.uint8
    assert np.isin(half, (127, 128)).all(), "every 2 x 2 block holds two black and two white pixels"


def test_growing_interpolates_and_same_size_is_the_same_picture() -> None:
    ramp = np.repeat(np.array([[[0], [100]]], np.uint8), 3, axis=2)
    grown = resize(ramp, 4, 1)[0, :, 0]
    # Pixel centres: the new ones lie at -0.25, 0.25, 0.75 and 1.25 of the old.
    assert grown.tolist() == [0, 25, 75, 100]
    assert resize(ramp, 2, 1) is ramp
