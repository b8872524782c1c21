"""Averages and transfers follow from the matrix as the equations say, with intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest

from sim2real.adaptation.continual.matrix import TransferMatrix, mean_over_stations


def constant(values: list[list[float]], frames: int = 4) -> TransferMatrix:
    return TransferMatrix(tuple(tuple(np.full(frames, v) for v in row) for row in values), "m")


def test_transfers_are_those_of_the_equations() -> None:
    rows = [[9.0, 8.0, 7.0], [1.0, 6.0, 5.0], [2.0, 1.5, 4.0], [4.0, 2.5, 0.5]]
    matrix = constant(rows)
    assert matrix.stations == 3
    assert matrix.means() == rows
    # (4 + 2.5 + 0.5) / 3; ((4 - 1) + (2.5 - 1.5)) / 2; ((6 - 8) + (4 - 7)) / 2.
    final, back, ahead = matrix.final_error(), matrix.backward_transfer(), matrix.forward_transfer()
    assert final is not None
    assert back is not None
    assert ahead is not None
    assert final.value == pytest.approx(7 / 3)
    assert (back.value, back.low, back.high) == pytest.approx((2.0, 2.0, 2.0))
    assert ahead.value == pytest.approx(-2.5)
    assert [e.value for e in matrix.by_station(matrix.backward, (1, 2, 3)) if e] == pytest.approx([3.0, 1.0, 0.0])
    assert [e.value for e in matrix.by_station(matrix.forward, (1, 2, 3)) if e] == pytest.approx([0.0, -2.0, -3.0])


def test_differences_are_paired_by_frame() -> None:
    rng = np.random.default_rng(0)
    own = rng.gamma(1.0, 5.0, 8)
    rest = np.ones(3)
    forgot = TransferMatrix(((own, rest), (own, rest), (own + 0.1 + 0.01 * rng.random(8), rest)), "m")
    back = forgot.backward_transfer()
    assert back is not None
    # Errors spread over metres, but every frame is worse by a tenth.
    assert back.low > 0.1
    assert back.high < 0.11


def test_stations_count_alike_whatever_their_frames() -> None:
    found = mean_over_stations([np.zeros(100), np.ones(4)], "m")
    assert found is not None
    assert found.value == pytest.approx(0.5)
    assert found.count == 104


def test_frames_without_a_prediction_do_not_count_and_too_few_give_no_number() -> None:
    nan = np.nan
    found = mean_over_stations([[1.0, nan, 3.0], [4.0, 4.0]], "m")
    assert found is not None
    assert found.value == pytest.approx(3.0)
    assert mean_over_stations([[1.0, nan, nan], [4.0, 4.0]], "m") is None
    assert mean_over_stations([], "m") is None
    blind = TransferMatrix(((np.ones(2), np.ones(2)), (np.ones(2), np.ones(2)), (np.full(2, nan), np.ones(2))), "m")
    assert blind.means()[2] == [None, 1.0]
    assert blind.backward_transfer() is None


@pytest.mark.parametrize("sizes", [(5, 5), (4, 12, 6)])
def test_the_interval_covers(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    cases, hits = 400, 0
    for case in range(cases):
        found = mean_over_stations([rng.normal(k, 1 + k, n) for k, n in enumerate(sizes)], "m", case)
        assert found is not None
        hits += found.low <= np.mean(range(len(sizes))) <= found.high
    # 95 % asked for; percentiles of few frames reach a little less, and 400 cases scatter by 1 %.
    assert 0.90 <= hits / cases <= 0.98


@pytest.mark.parametrize("rows", [[[1.0]], [[1.0], [1.0]], [[1.0, 1.0], [1.0, 1.0]]])
def test_a_matrix_has_a_row_a_station_and_one_before(rows: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"needs T \+ 1 rows of T stations"):
        constant(rows)


def test_a_station_has_the_same_frames_in_every_stage() -> None:
    full, short = np.ones(3), np.ones(2)
    with pytest.raises(ValueError, match="same frames"):
        TransferMatrix(((full, full), (full, short), (full, full)), "m")
