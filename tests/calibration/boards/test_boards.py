"""Boards are described, found to a fraction of a pixel, and what cannot be used is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.boards.board import Board, read_board
from calibration.boards.detect import detect, find
from calibration.errors import InputError

Float = NDArray[np.float64]
BOARDS = {
    "chessboard": Board("chessboard", 7, 6, 0.03),
    "charuco": Board("charuco", 5, 7, 0.04, 0.02),
    "circles": Board("circles", 7, 6, 0.03, large_dot=True),
    "asymmetric_circles": Board("asymmetric_circles", 4, 9, 0.02),
    "apriltags": Board("apriltags", 4, 3, 0.04, 0.012, "DICT_APRILTAG_36h11"),
}
# Pixels of a board's own picture for each metre, and its margin.
SCALE, MARGIN = 4000.0, 160
SIZE = (960, 720)


def own_picture(board: Board) -> NDArray[np.uint8]:
    """Return a grey picture of a board in which point (x, y) metres is at MARGIN + SCALE (x, y)."""
    points = board.points()[:, :2]
    side = board.spacing_m * SCALE
    if board.kind in ("charuco", "apriltags"):
        target = board.charuco() if board.kind == "charuco" else board.tag_grid()
        pitch = board.spacing_m + (board.marker_m if board.kind == "apriltags" else 0.0)
        gap = board.marker_m if board.kind == "apriltags" else 0.0
        wide, high = (round((n * pitch - gap) * SCALE) for n in (board.columns, board.rows))
        inner = target.generateImage((wide, high), marginSize=0)
        return np.pad(np.asarray(inner, np.uint8), MARGIN, constant_values=255)
    reach = np.ceil(points.max(axis=0) * SCALE).astype(int) + 2 * MARGIN + round(2 * side)
    picture = np.full((reach[1], reach[0]), 255, np.uint8)
    if board.kind == "chessboard":
        rows, columns = np.indices(picture.shape)
        # The first inner corner is one square in.
        x, y = (columns - MARGIN) / side + 1, (rows - MARGIN) / side + 1
        inside = (x >= 0) & (x < board.columns + 1) & (y >= 0) & (y < board.rows + 1)
        picture[inside & ((np.floor(x) + np.floor(y)) % 2 == 0)] = 0
        return picture
    for number, (x, y) in enumerate(points):
        radius = 0.25 * side * (1.6 if number == 0 and board.large_dot else 1.0)
        centre = (round((MARGIN + SCALE * x) * 16), round((MARGIN + SCALE * y) * 16))
        cv2.circle(picture, centre, round(radius * 16), 0, -1, cv2.LINE_AA, 4)
    return picture


def photograph(board: Board, seed: int, turn_deg: float = 0.0) -> tuple[NDArray[np.uint8], Float]:
    """Return a picture of the board seen at an angle (H, W, 3), and where its points are (P, 2)."""
    rng = np.random.default_rng(seed)
    own = own_picture(board)
    height, width = own.shape
    shrink = 0.62 * min(SIZE[0] / width, SIZE[1] / height)
    middle = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    cosine, sine = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    tilt = np.array([[shrink * cosine, -shrink * sine, 0], [shrink * sine, shrink * cosine, 0], [0, 0, 1]])
    tilt[2, :2] = rng.uniform(-2e-4, 2e-4, 2)
    place = np.array([[1, 0, SIZE[0] / 2], [0, 1, SIZE[1] / 2], [0, 0, 1]])
    whole = place @ tilt @ middle
    # Drawn large and made small by averaging, as a sensor does.
    fine = np.diag([3.0, 3.0, 1.0]) @ whole
    fine[:2] += fine[2] * 1.0
    large = cv2.warpPerspective(own, fine, (3 * SIZE[0], 3 * SIZE[1]), borderValue=(200,), flags=cv2.INTER_LINEAR)
    small = cv2.resize(large, SIZE, interpolation=cv2.INTER_AREA).astype(np.float64)
    grey = np.clip(20 + 0.8 * cv2.GaussianBlur(small, (0, 0), 0.7) + rng.normal(0, 1.5, small.shape), 0, 255)
    at = MARGIN + SCALE * board.points()[:, :2]
    if board.kind in ("charuco", "apriltags"):
        # An edge between pixels 9 and 10 of the board's picture is at 9.5.
        at = at - 0.5
    elif board.kind == "chessboard":
        at = at - 0.5
    seen = np.column_stack([at, np.ones(len(at))]) @ whole.T
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2), seen[:, :2] / seen[:, 2:]


@pytest.mark.parametrize("kind", sorted(BOARDS))
def test_points_are_found_to_a_fraction_of_a_pixel(kind: str) -> None:
    board = BOARDS[kind]
    pictures = [photograph(board, seed) for seed in range(4)]
    found = detect(board, [(str(k), p) for k, (p, _) in enumerate(pictures)])
    assert len(found.views) == 4
    errors = [np.linalg.norm(view.pixels - pictures[int(view.name)][1][view.ids], axis=1) for view in found.views]
    assert np.mean([e.mean() for e in errors]) < (0.35 if kind == "apriltags" else 0.15)
    assert all(len(view.ids) >= 0.9 * len(board.points()) for view in found.views)


@pytest.mark.parametrize("turn_deg", [0.0, 90.0, 180.0, 270.0])
def test_the_large_dot_tells_from_which_side_a_grid_is_seen(turn_deg: float) -> None:
    board = Board("circles", 6, 6, 0.03, large_dot=True)
    picture, truth = photograph(board, 1, turn_deg)
    found = find(board, picture[..., 0])
    assert not isinstance(found, str)
    assert np.linalg.norm(found[1] - truth, axis=1).max() < 0.5
    assert board.has_one_orientation
    assert not replace(board, large_dot=False).has_one_orientation


def test_a_board_that_is_cut_off_is_used_in_part_or_rejected_with_the_reason() -> None:
    whole, truth = photograph(BOARDS["charuco"], 2)
    cut = whole.copy()
    cut[:, : int(truth[:, 0].min()) + 40] = 128
    nearly_gone = whole.copy()
    nearly_gone[: int(truth[:, 1].max()) - 40] = 128
    found = detect(BOARDS["charuco"], [("whole", whole), ("cut", cut), ("gone", nearly_gone)])
    assert len(found.views[0].ids) == 24
    assert [v.name for v in found.views] == ["whole", "cut"]
    assert 6 <= len(found.views[1].ids) < 24
    assert found.rejected[0][0] == "gone"
    assert "6 are needed" in found.rejected[0][1] or "no board found" in found.rejected[0][1]


def test_bad_photographs_are_one_clear_line() -> None:
    chess, _ = photograph(BOARDS["chessboard"], 0)
    blank = np.full((*SIZE[::-1], 3), 128, np.uint8)
    with pytest.raises(InputError, match="photographs of a board are needed, got none"):
        detect(BOARDS["chessboard"], [])
    with pytest.raises(InputError, match=r"must have one size, got 960 x 720 in a and 100 x 100 in b"):
        detect(BOARDS["chessboard"], [("a", chess), ("b", blank[:100, :100])])
    with pytest.raises(InputError, match="got 1 without it; is it sharp"):
        detect(BOARDS["chessboard"], [("blank", blank)])
    with pytest.raises(
        InputError, match=r"they show chessboard of (7 x 6|6 x 7) inner corners, 30 mm: correct the board's file"
    ):
        detect(Board("chessboard", 6, 6, 0.03), [("a", chess)])
    charuco, _ = photograph(BOARDS["charuco"], 0)
    with pytest.raises(InputError, match="they show markers of DICT_6X6_"):
        detect(replace(BOARDS["charuco"], dictionary="DICT_5X5_100"), [("a", charuco)])


def test_files_of_boards_are_read_in_two_forms(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text('kind = "chessboard"\ncolumns = 7\nrows = 6\nspacing_m = 0.03\n')
    assert read_board(tmp_path / "b.toml") == BOARDS["chessboard"]
    text = "type: charuco\ndictionary: DICT_6X6_250 (OpenCV id 10)\nsquares_x: 5\nsquares_y: 7\nsquare_m: 0.04\n"
    (tmp_path / "b.yaml").write_text(text + "marker_m: 0.02\nlayout: as it is\n")
    assert read_board(tmp_path / "b.yaml") == BOARDS["charuco"]
    (tmp_path / "c.yaml").write_text("type: modified_circle_grid\nrows: 6\ncols: 7\nspacing_m: 0.03\nnote: a dot\n")
    assert read_board(tmp_path / "c.yaml") == BOARDS["circles"]
    for content, words in (
        ('kind = "chess"\ncolumns = 7\nrows = 5\nspacing_m = 0.03\n', "kind must be one of chessboard"),
        ('kind = "chessboard"\ncolumns = 7\nrows = 5\nspacing_m = 30.0\n', "got 30; is it in millimetres"),
        ('kind = "chessboard"\ncolumns = 7\nrow = 5\nspacing_m = 0.03\n', "unknown key 'row'; did you mean 'rows'"),
        ('kind = "charuco"\ncolumns = 7\nrows = 5\nspacing_m = 0.03\nmarker_m = 0.04\n', "below spacing_m, got 0.04"),
        ("kind = \n", "must be TOML"),
    ):
        (tmp_path / "bad.toml").write_text(content)
        with pytest.raises(InputError, match=words):
            read_board(tmp_path / "bad.toml")
    with pytest.raises(InputError, match="No such file"):
        read_board(tmp_path / "none.toml")
