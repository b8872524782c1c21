"""The table and the picture show the numbers of the matrix."""

from __future__ import annotations

import cv2
import numpy as np

from sim2real.adaptation.continual.matrix import TransferMatrix
from sim2real.adaptation.continual.report import heatmap, markdown

ROWS = [[0.09, 0.08, 0.07], [0.01, 0.06, 0.05], [0.02, 0.015, 0.04], [0.04, 0.025, 0.005]]
MATRIX = TransferMatrix(tuple(tuple(np.full(3, v) for v in row) for row in ROWS), "m")
NAMES = ("left", "right", "a camera with a very long name")


def test_the_table_marks_a_stations_own_stage_and_states_signs() -> None:
    text = markdown(MATRIX, NAMES, "cm")
    lines = text.splitlines()
    assert "| nothing yet | 9.00 [9.00, 9.00] | 8.00 [8.00, 8.00] | 7.00 [7.00, 7.00] |" in lines
    assert "| right | 2.00 [2.00, 2.00] | **1.50 [1.50, 1.50]** | 4.00 [4.00, 4.00] |" in lines
    assert "| backward transfer | +3.00 [+3.00, +3.00] | +1.00 [+1.00, +1.00] |  |" in lines
    assert "| forward transfer |  | -2.00 [-2.00, -2.00] | -3.00 [-3.00, -3.00] |" in lines
    assert "above 0 is forgetting): +2.00 [+2.00, +2.00] cm" in text
    assert "below 0 they help): -2.50 [-2.50, -2.50] cm" in text
    columns = {line.count("|") for line in lines if line.startswith("|")}
    assert columns == {5}


def test_the_picture_is_darker_where_the_error_is_larger() -> None:
    content = heatmap(MATRIX, NAMES, "cm")
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert min(picture.shape[:2]) > 300
    assert content == heatmap(MATRIX, NAMES, "cm")
    blind = TransferMatrix((*MATRIX.errors[:3], (np.full(3, np.nan), *MATRIX.errors[3][1:])), "m")
    assert heatmap(blind, NAMES, "mm") != content
