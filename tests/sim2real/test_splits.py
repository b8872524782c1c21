"""Photographs are divided by group or by block; the same content always gives the same split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.errors import InputError
from calibration.rig import Rig
from calibration.rig_file import load_rig
from sim2real.realdata import RealFrame
from sim2real.splits import choose_frames, split_frames


def frame(number: int, group: str = "", content: str | None = None) -> RealFrame:
    nothing = np.zeros((2, 2, 3), np.uint8)
    point = np.zeros(3)
    digest = content or f"sha-{number}"
    return RealFrame(f"{number:02d}.jpg", digest, nothing, point, None, point[None], "full", group, None)


@pytest.fixture(scope="module")
def grouped() -> Rig:
    return load_rig("cube_on_table")


@pytest.fixture(scope="module")
def ungrouped() -> Rig:
    return load_rig("psm_tool")


def grid() -> list[RealFrame]:
    return [frame(9 * row + column, str(column)) for row in range(4) for column in range(9)]


def groups_of(files: tuple[str, ...]) -> set[int]:
    return {int(name[:2]) % 9 for name in files}


def test_rig_names_its_own_test_groups(grouped: Rig) -> None:
    split = split_frames(grouped, grid())
    assert groups_of(split.test) == {0, 4, 8}
    assert groups_of(split.train) == {1, 2, 3, 5, 6, 7}
    assert len(split.train) + len(split.test) == 36
    assert split.rule == "by column grid_y: 0, 4, 8 held out"


@pytest.mark.parametrize("wanted", [("2",), ("7", "1"), ("0", "1", "2", "3", "4", "5", "6", "7")])
def test_no_group_is_divided(wanted: tuple[str, ...], grouped: Rig) -> None:
    order = np.random.default_rng(0).permutation(36)
    frames = [grid()[k] for k in order]
    split = split_frames(grouped, frames, wanted)
    assert groups_of(split.test) == {int(w) for w in wanted}
    assert not groups_of(split.test) & groups_of(split.train)
    assert sorted(split.train + split.test) == sorted(f.file for f in frames)


def test_groups_that_the_rig_does_not_name(grouped: Rig) -> None:
    frames = [frame(k, "abcdef"[k % 6]) for k in range(18)]
    split = split_frames(grouped, frames)
    assert {int(name[:2]) % 6 for name in split.test} == {4, 5}, "the last third of the sorted groups"


def test_rig_that_would_hold_out_everything(grouped: Rig) -> None:
    split = split_frames(grouped, [frame(k, "048"[k % 3]) for k in range(9)])
    assert split.rule == "by column grid_y: 8 held out"


def test_block_is_the_end_of_the_recording(ungrouped: Rig) -> None:
    split = split_frames(ungrouped, [frame(k) for k in range(29)])
    assert split.train == tuple(f"{k:02d}.jpg" for k in range(20))
    assert split.test == tuple(f"{k:02d}.jpg" for k in range(20, 29))
    assert split.train_sha256 == tuple(f"sha-{k}" for k in range(20))
    assert split.rule == "by block: the last 9 frames of the recording held out"


def test_group_column_without_values_falls_back_to_a_block(grouped: Rig) -> None:
    assert split_frames(grouped, [frame(k) for k in range(6)]).test == ("04.jpg", "05.jpg")


def test_hash_depends_on_content_and_place_only(grouped: Rig) -> None:
    first = split_frames(grouped, grid())
    assert split_frames(grouped, grid()) == first
    assert split_frames(grouped, grid(), ["8", "0", "4"]).sha256 == first.sha256, "the order of naming"
    assert len(first.sha256) == 64
    changed = grid()
    for k, side in ((0, "test"), (1, "train")):
        frames = [*changed]
        frames[k] = replace(frames[k], sha256="other")
        assert split_frames(grouped, frames).sha256 != first.sha256, side
    assert split_frames(grouped, grid(), ["0", "4"]).sha256 != first.sha256
    assert split_frames(grouped, grid()[:-2]).sha256 != first.sha256


def test_unknown_group_is_an_error(grouped: Rig) -> None:
    with pytest.raises(InputError, match=r"column grid_y \(0, 1, .*8\), got 9"):
        split_frames(grouped, grid(), ["4", "9"])


def test_groups_without_a_group_column_are_an_error(ungrouped: Rig) -> None:
    with pytest.raises(InputError, match="group column in rig psm_tool, which has none"):
        split_frames(ungrouped, [frame(k) for k in range(9)], ["1"])


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_frames_are_an_error(count: int, ungrouped: Rig) -> None:
    with pytest.raises(InputError, match="frames on both sides, got 0 to fit"):
        split_frames(ungrouped, [frame(k) for k in range(count)])


def test_one_group_or_all_groups_are_an_error(grouped: Rig) -> None:
    with pytest.raises(InputError, match="got 0 to fit and 4 to score"):
        split_frames(grouped, [frame(k, "3") for k in range(4)])
    with pytest.raises(InputError, match="got 0 to fit and 36 to score"):
        split_frames(grouped, grid(), [str(k) for k in range(9)])


def test_choice_is_fixed_by_the_seed_and_keeps_the_order() -> None:
    frames = [frame(k) for k in range(20)]
    chosen = choose_frames(frames, 5, 0, "a budget of 5")
    names = [f.file for f in chosen]
    assert names == [f.file for f in choose_frames(frames, 5, 0, "a budget of 5")]
    assert names == sorted(set(names))
    assert len(names) == 5
    others = {tuple(f.file for f in choose_frames(frames, 5, seed, "")) for seed in range(10)}
    assert len(others) == 10
    counts = np.zeros(20)
    for seed in range(400):
        for f in choose_frames(frames, 5, seed, ""):
            counts[int(f.file[:2])] += 1
    # Every frame is chosen with probability 1/4: 100 of 400 times, give or take five standard deviations.
    assert counts.min() > 56
    assert counts.max() < 144


def test_choice_of_all_or_none() -> None:
    frames = [frame(k) for k in range(4)]
    assert choose_frames(frames, 4, 3, "") == frames
    assert choose_frames(frames, 0, 3, "") == []


def test_choice_of_more_than_there_are_is_an_error() -> None:
    with pytest.raises(InputError, match="a budget of 5 needs 5 usable labelled frames, found 4"):
        choose_frames([frame(k) for k in range(4)], 5, 0, "a budget of 5")


def test_choice_of_fewer_than_none_is_an_error() -> None:
    with pytest.raises(InputError, match="0 or more frames, got -1"):
        choose_frames([frame(k) for k in range(4)], -1, 0, "the budget")
