"""Which photographs the page proposes to label: the advice's own choice, among those that may be labelled."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from calibration.errors import InputError
from calibration.rig_file import load_rig
from envs.standin import write_standin
from sim2real.advice.active_learning.picking import pick_photographs, placing_stage
from sim2real.advice.active_learning.selection import pick_frames
from sim2real.advice.stages import Answers, StageFeatures
from sim2real.gap.perception.to_label import label_step, photographs_to_label
from sim2real.realdata import load_real

RIG = load_rig("cube_on_table")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("frames") / "data"
    write_standin(RIG, out, 8, 3)
    return out


def test_only_new_photographs_may_be_labelled_and_fitted_ones_count_as_labelled(folder: Path, tmp_path: Path) -> None:
    frames = load_real(folder, RIG).frames
    fitting, scored = frames[:4], frames[4:]
    more = tmp_path / "more"
    write_standin(RIG, more, 3, 9)
    (more / "labels.csv").unlink()
    # A scored and a fitted one under other names.
    for name, frame in (("a", scored[0]), ("b", fitting[0])):
        shutil.copy(folder / frame.file, more / f"{name}{Path(frame.file).suffix}")
    found = photographs_to_label(RIG, fitting, frames, more, "by hand")
    assert found.labelled == fitting
    assert len(found.may_label) == 3
    assert all(f.startswith("more/") for f in found.may_label)
    assert found.files[:4] == tuple(f.file for f in fitting)
    assert found.pictures.shape == (7, *RIG.input_size_px[::-1], 3)
    assert not {f.file for f in scored} & set(found.files)

    rng = np.random.default_rng(0)
    stages = tuple(StageFeatures(rng.normal(size=(7, 2)), rng.normal(size=(7, 4))) for _ in range(4))
    seen = Answers(stages, rng.uniform(size=7), np.zeros((7, 1, 2)))
    picks = pick_photographs(found, seen, 2)
    expected = pick_frames(stages[2].places, 1 - seen.confidence, [0, 1, 2, 3], 2)
    assert [p.file for p in picks] == [found.files[e.index] for e in expected]
    assert {p.file for p in picks} <= found.may_label
    step = label_step(picks, "start", "photos", "more")
    assert step is not None
    assert (step.gain_m, step.interval_m) == (None, None)
    assert f"{picks[0].file}, {picks[1].file}" in step.what
    assert step.command.endswith("--unlabelled more --pick 2 --out advice")
    assert label_step([], "start", "photos", "more") is None


def test_a_folder_without_anything_to_label_is_refused(folder: Path) -> None:
    frames = load_real(folder, RIG).frames
    with pytest.raises(InputError, match=r"--unlabelled must hold photographs .* not labelled yet, found none in"):
        photographs_to_label(RIG, frames[:4], frames, folder, "by hand")


def test_without_fitted_frames_all_are_new(folder: Path) -> None:
    found = photographs_to_label(RIG, (), (), folder, "by hand")
    assert found.labelled == ()
    assert set(found.files) == set(found.may_label)


@pytest.mark.parametrize(("stages", "index"), [(1, 0), (2, 0), (4, 2)])
def test_photographs_are_compared_in_the_second_coarsest_stage(stages: int, index: int) -> None:
    assert placing_stage(stages) == index
