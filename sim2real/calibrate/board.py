"""`sim2real calibrate board`: a board to print."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from calibration.boards.board import Board, read_board
from calibration.errors import InputError
from sim2real.calibrate.configs import BoardConfig

_MARGIN_M, _RULER_M = 0.015, 0.1
_INCH_M = 0.0254
# Of the pictures of markers; a printer has no more.
_PIXELS_PER_M = 600 / _INCH_M
_DOT_SHARE = 0.3


def run(config: BoardConfig) -> tuple[str, int]:
    """Write the PDF; return one line and the exit status.

    Raises:
        InputError: no such board, or a file that exists.
    """
    board = read_board(config.board)
    if config.pdf.exists():
        raise InputError(f"--pdf must be a new file, got {config.pdf}")
    width, height = _size(board)
    page = (width + 2 * _MARGIN_M, height + 3 * _MARGIN_M)
    page = (max(page[0], _RULER_M + 2 * _MARGIN_M), page[1])
    figure = Figure(figsize=(page[0] / _INCH_M, page[1] / _INCH_M))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, page[0])
    axes.set_ylim(0, page[1])
    axes.axis("off")
    # From the board's upper left corner, y down, to the page.
    left, top = _MARGIN_M, page[1] - _MARGIN_M
    _draw(axes, board, left, top)
    axes.plot([left, left + _RULER_M], [_MARGIN_M * 0.9] * 2, color="black", lw=0.8)
    for x in (left, left + _RULER_M):
        axes.plot([x, x], [_MARGIN_M * 0.7, _MARGIN_M * 1.1], color="black", lw=0.8)
    note = f"{board}. This line is 100 mm long: print at 100 %, and measure it."
    axes.text(left, _MARGIN_M * 0.2, note, fontsize=7)
    with PdfPages(config.pdf, metadata={"CreationDate": None}) as pdf:
        pdf.savefig(figure)
    return f"board: {config.pdf}, {page[0] * 1e3:.0f} x {page[1] * 1e3:.0f} mm; print at 100 % and measure the ruler", 0


def _size(board: Board) -> tuple[float, float]:
    if board.kind == "charuco":
        return board.columns * board.spacing_m, board.rows * board.spacing_m
    if board.kind == "apriltags":
        return (
            board.columns * (board.spacing_m + board.marker_m) - board.marker_m,
            board.rows * (board.spacing_m + board.marker_m) - board.marker_m,
        )
    if board.kind == "chessboard":
        return (board.columns + 1) * board.spacing_m, (board.rows + 1) * board.spacing_m
    reach = board.points().max(axis=0) + 2 * board.spacing_m
    return float(reach[0]), float(reach[1])


def _draw(axes, board: Board, left: float, top: float) -> None:  # type: ignore[no-untyped-def]
    side = board.spacing_m
    if board.kind == "chessboard":
        for row in range(board.rows + 1):
            for column in range(row % 2, board.columns + 1, 2):
                axes.add_patch(
                    Rectangle((left + column * side, top - (row + 1) * side), side, side, color="black", lw=0)
                )
    elif board.kind in ("circles", "asymmetric_circles"):
        for number, (x, y, _) in enumerate(board.points()):
            radius = _DOT_SHARE * side * (1.45 if number == 0 and board.large_dot else 1.0)
            axes.add_patch(Circle((left + side + x, top - side - y), radius, color="black", lw=0))
    else:
        width, height = _size(board)
        size = (round(width * _PIXELS_PER_M), round(height * _PIXELS_PER_M))
        target = board.charuco() if board.kind == "charuco" else board.tag_grid()
        picture = np.asarray(target.generateImage(size, marginSize=0, borderBits=1))
        axes.imshow(
            picture,
            cmap="gray",
            vmin=0,
            vmax=255,
            extent=(left, left + width, top - height, top),
            interpolation="none",
            aspect="auto",
        )
