"""Each planted fault is found by its name, and clean frames are in no doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from calibration.rig_file import load_rig
from calibration.view import CameraView
from policies.perception import Prediction
from sim2real.adaptation.guards.checks.doubt import Doubt
from sim2real.adaptation.guards.labelled_frames import check_labelled, check_labels
from sim2real.cameras import aligned_camera
from sim2real.images import resize
from sim2real.realdata import RealData, RealFrame, load_real

# The fixtures `station` and `either` give a `Station`, see conftest.
Station = Any


def only(doubts: Sequence[Doubt]) -> Doubt:
    assert len(doubts) == 1, [str(d) for d in doubts]
    return doubts[0]


def shifted(either: Station, change: Any) -> list[RealFrame]:
    return [either.relabel(f, change(f.point_m), f.joints) for f in either.frames]


def test_clean_frames_are_in_no_doubt(either: Station) -> None:
    assert either.check() == []
    assert either.check(others=None) == []
    assert either.check_units(list(either.frames), with_model=False) == []


@pytest.mark.parametrize("count", [1, 3])
def test_a_few_clean_frames_are_in_no_doubt(either: Station, count: int) -> None:
    frames, seen = either.frames[:count], either.seen_px[:count]
    assert either.check(frames, keypoints_px=seen, confidence=np.full(seen.shape[:2], 0.9)) == []


@pytest.mark.parametrize(("factor", "unit"), [(1000.0, "millimetres"), (100.0, "centimetres")])
@pytest.mark.parametrize("with_model", [True, False])
def test_labels_in_other_units_are_named(either: Station, factor: float, unit: str, with_model: bool) -> None:
    frames = shifted(either, lambda p: p * factor)
    doubt = only(either.check_units(frames, with_model))
    assert (doubt.kind, doubt.severity, len(doubt.files)) == ("units", "refuse", 10)
    assert f"labels look {factor:.4g} times too large: are they {unit}?" in doubt.text
    assert f"divide the columns of labels.csv by {factor:.4g}" in doubt.text


def test_labels_that_are_too_small_are_named(either: Station) -> None:
    doubt = only(either.check_units(shifted(either, lambda p: p / 1000)))
    assert doubt.kind == "units"
    assert "labels look 1000 times too small" in doubt.text
    assert "multiply by 1000" in doubt.text


@pytest.mark.parametrize("offset", [(1000.0, 1000.0, 1000.0), (1000.0, 0.0, 0.0), (0.0, 0.0, 0.6)])
def test_labels_in_another_frame_are_named(either: Station, offset: tuple[float, float, float]) -> None:
    doubt = only(either.check_units(shifted(either, lambda p: p + np.array(offset))))
    assert (doubt.kind, doubt.severity) == ("label frame", "refuse")
    size = [float(v) for v in doubt.text.split("displaced by (")[1].split(")")[0].split(",")]
    assert np.allclose(size, offset, atol=0.03)


def test_a_small_offset_of_all_labels_is_told_from_the_camera(station: Any) -> None:
    cube = station("cube_on_table")
    doubt = only(cube.check_units(shifted(cube, lambda p: p + np.array([0.0, 0.25, 0.0]))))
    assert (doubt.kind, doubt.severity) == ("label frame", "warn")
    assert "labels lie (" in doubt.text
    assert cube.check_units(shifted(cube, lambda p: p + np.array([0.0, 0.02, 0.0]))) == []


def test_joints_in_degrees_are_named(station: Any) -> None:
    psm = station("psm_tool")
    frames = [
        replace(f, joints={n: v * (180 / np.pi if n != "insertion" else 1) for n, v in f.joints.items()})
        for f in psm.frames
    ]
    doubt = only(psm.check_units(frames))
    assert (doubt.kind, doubt.severity, len(doubt.files)) == ("joints", "refuse", 10)
    assert "are they degrees?" in doubt.text


def test_a_label_that_contradicts_its_joints_is_named(station: Any) -> None:
    psm = station("psm_tool")
    frames = list(psm.frames)
    frames[3] = replace(frames[3], point_m=frames[3].point_m + np.array([0.02, 0.0, 0.0]))
    doubt = only(psm.check_units(frames))
    assert (doubt.kind, doubt.files) == ("contradicting labels", ("3.png",))


def test_a_single_label_outside_the_workspace_is_named(either: Station) -> None:
    frames = list(either.frames)
    frames[4] = either.relabel(frames[4], frames[4].point_m + 5.0, frames[4].joints)
    found = [d for d in either.check_units(frames) if d.kind == "outside"]
    assert only(found).files == ("4.png",)


def test_exchanged_labels_are_named(either: Station) -> None:
    distance = np.linalg.norm(either.seen_px[1] - either.seen_px, axis=2).mean(axis=1)
    far = int(np.argmax(distance))
    doubt = only(either.check(either.exchanged(1, far)))
    assert (doubt.kind, doubt.severity) == ("swapped labels", "refuse")
    assert set(doubt.files) == {"1.png", f"{far}.png"}


def test_one_label_30_cm_off_is_named(station: Any) -> None:
    cube = station("cube_on_table")
    for k, direction in ((0, (0.0, 0.3, 0.0)), (5, (0.0, -0.3, 0.0)), (7, (0.3, 0.0, 0.0))):
        frames = list(cube.frames)
        frames[k] = cube.relabel(frames[k], frames[k].point_m + np.array(direction))
        doubt = only(cube.check(frames))
        assert (doubt.kind, doubt.files) == ("mislabelled", (f"{k}.png",))
        assert "the label is wrong, as nothing differs from the background where the label is" in doubt.text
        assert doubt.severity == "refuse"


def test_without_a_background_either_may_be_wrong(station: Any) -> None:
    cube = station("cube_on_table")
    frames = list(cube.frames[:4])
    frames[2] = cube.relabel(frames[2], frames[2].point_m + np.array([0.0, 0.3, 0.0]))
    seen = cube.seen_px[:4]
    doubt = only(cube.check(frames, keypoints_px=seen, confidence=np.ones((4, 1)), others=None))
    assert (doubt.kind, doubt.files, doubt.severity) == ("mislabelled", ("2.png",), "warn")
    assert "the label or the model is wrong" in doubt.text


def test_a_frame_that_the_model_misses_is_in_no_doubt(station: Any) -> None:
    cube = station("cube_on_table")
    seen, n = cube.seen_px.copy(), len(cube.frames)
    seen[2] = seen[2] * 0.3
    unsure = np.full(seen.shape[:2], 0.9)
    unsure[2] = 0.2
    assert cube.check(keypoints_px=seen, confidence=unsure, others=None) == []
    unsteady = np.full(n, 0.5)
    unsteady[2] = 40.0
    assert cube.check(keypoints_px=seen, disagreement_px=unsteady) == []


def test_a_confident_miss_is_no_fault_of_the_label(station: Any) -> None:
    cube = station("cube_on_table")
    seen = cube.seen_px.copy()
    seen[2] = (10.0, 110.0)
    assert cube.check(keypoints_px=seen) == []


def test_labels_of_other_pictures_are_doubted_as_a_whole(station: Any) -> None:
    cube = station("cube_on_table")
    order = np.roll(np.arange(10), 1)
    frames = [cube.relabel(f, cube.frames[j].point_m) for f, j in zip(cube.frames, order, strict=True)]
    doubt = only(cube.check(frames))
    assert (doubt.kind, len(doubt.files), doubt.severity) == ("mislabelled", 10, "warn")


def test_frames_of_another_station_are_named(station: Any) -> None:
    cube, psm = station("cube_on_table"), station("psm_tool")
    frames = list(cube.frames)
    for k in (0, 6):
        frames[k] = replace(frames[k], picture=psm.frames[k].picture)
    for others in (cube.others, None):
        doubt = only([d for d in cube.check(frames, others=others) if d.kind == "another station"])
        assert (doubt.files, doubt.severity) == (("0.png", "6.png"), "refuse")
    foreign = [replace(f, picture=p.picture) for f, p in zip(cube.frames, psm.frames, strict=True)]
    assert any(d.kind == "another station" and len(d.files) == 10 for d in cube.check(foreign))


def test_one_frame_repeated_is_counted(either: Station) -> None:
    first, seen = either.frames[0], np.repeat(either.seen_px[:1], 10, axis=0)
    frames = [replace(first, file=f"{k}.png") for k in range(10)]
    doubt = only(either.check(frames, keypoints_px=seen))
    assert (doubt.kind, doubt.severity, len(doubt.files)) == ("repeated frame", "refuse", 10)
    assert "expected 10 distinct frames, got 1" in doubt.text


def test_a_renamed_and_encoded_copy_is_found(station: Any) -> None:
    cube = station("cube_on_table")
    frames, seen = list(cube.frames), cube.seen_px.copy()
    encoded = cv2.imdecode(cv2.imencode(".jpg", frames[0].picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1], 1)
    frames[9], seen[9] = replace(frames[0], file="9.png", sha256="other", picture=encoded), seen[0]
    doubt = only(cube.check(frames, keypoints_px=seen))
    assert (doubt.kind, doubt.severity, doubt.files) == ("repeated frame", "warn", ("0.png", "9.png"))
    assert "got 9" in doubt.text


def test_one_picture_with_two_labels_is_refused(station: Any) -> None:
    cube = station("cube_on_table")
    frames = list(cube.frames)
    frames[9] = replace(frames[9], picture=frames[0].picture, sha256=frames[0].sha256)
    found = [d for d in cube.check(frames) if d.kind == "contradicting labels"]
    assert (only(found).files, found[0].severity) == (("0.png", "9.png"), "refuse")


@pytest.mark.parametrize(("level", "look"), [(0, "black"), (255, "white"), (110, "of one grey")])
def test_constant_pictures_are_named(station: Any, level: int, look: str) -> None:
    cube = station("cube_on_table")
    rng = np.random.default_rng(0)
    frames = list(cube.frames)
    for k in (1, 2):
        flat = np.clip(level + rng.normal(0, 2, frames[k].picture.shape), 0, 255).astype(np.uint8)
        frames[k] = replace(frames[k], picture=flat)
    doubt = only(cube.check(frames))
    assert (doubt.kind, doubt.files, doubt.severity) == ("constant picture", ("1.png", "2.png"), "refuse")
    assert f"are {look}" in doubt.text
    blank = [replace(f, picture=np.full_like(f.picture, level)) for f in cube.frames]
    assert only(cube.check(blank)).files == tuple(f"{k}.png" for k in range(10))


def test_swapped_channels_are_named(station: Any) -> None:
    cube = station("cube_on_table")
    frames = list(cube.frames)
    frames[3] = replace(frames[3], picture=np.ascontiguousarray(frames[3].picture[..., ::-1]))
    assert "swapped channels" in {d.kind for d in cube.check(frames) if d.files == ("3.png",)}


class Finder:
    """A model that finds the middle of what is white on the table."""

    def predict(self, pictures: NDArray[np.uint8], device: torch.device) -> Prediction:
        found = []
        for picture in pictures:
            white = picture[45:].min(axis=2).astype(np.float64)
            y, x = np.nonzero(white > 0.75 * white.max())
            found.append([[x.mean(), y.mean() + 45]])
        return Prediction(np.array(found), np.full((len(pictures), 1), 0.9), None)


class Guesser:
    """A model that is sure of something else in each picture."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def predict(self, pictures: NDArray[np.uint8], device: torch.device) -> Prediction:
        return Prediction(self.rng.uniform(0, 120, (len(pictures), 1, 2)), np.full((len(pictures), 1), 0.9), None)


def test_a_model_is_asked_for_its_keypoints(station: Any) -> None:
    cube, device = station("cube_on_table"), torch.device("cpu")
    frames = cube.exchanged(1, 2)
    doubt = only(check_labelled(cube.rig, cube.view, frames, Finder(), device, cube.others))
    assert (doubt.kind, doubt.files) == ("swapped labels", ("1.png", "2.png"))
    assert check_labelled(cube.rig, cube.view, cube.frames, Finder(), device, cube.others) == []
    # What moves under small views is no evidence against labels.
    assert check_labelled(cube.rig, cube.view, cube.frames, Guesser(), device, cube.others) == []
    assert check_labelled(cube.rig, cube.view, frames, None, device, cube.others) == []
    assert check_labelled(cube.rig, cube.view, [], Finder(), device, cube.others) == []


PACKS = {"cube_on_table": "cube_on_table", "psm_tool": "dvrk_psm_tool"}


@pytest.fixture(scope="module", params=list(PACKS))
def photographs(request: pytest.FixtureRequest, real_data: Path) -> tuple[CameraView, bool, RealData, str]:
    rig = load_rig(request.param)
    data = load_real(real_data / PACKS[request.param], rig)
    if rig.alignment_body is None:
        return CameraView.of(rig), False, data, request.param
    return aligned_camera(rig, data.unlabelled).view, True, data, request.param


@pytest.mark.real
def test_photographs(photographs: tuple[CameraView, bool, RealData, str], real_data: Path) -> None:
    view, is_aligned, data, name = photographs
    rig = load_rig(name)
    small = view.resized(*rig.input_size_px)
    rng = np.random.default_rng(1)
    chosen = sorted(rng.choice(len(data.frames), 10, replace=False))
    frames = [data.frames[k] for k in chosen]
    seen = np.stack([small.project(f.keypoints_world) for f in frames])
    seen = seen + rng.normal(0, 0.8, seen.shape)

    def kinds(changed: Sequence[RealFrame]) -> dict[str, tuple[str, ...]]:
        found = check_labels(
            rig, view, changed, seen, np.full(seen.shape[:2], 0.9), None, data.unlabelled[:12], is_aligned
        )
        return {d.kind: d.files for d in found}

    assert kinds(frames) == {}
    other = next(folder for key, folder in PACKS.items() if key != name)
    foreign = load_real(real_data / other, load_rig(next(k for k, v in PACKS.items() if v == other))).unlabelled[0]
    small_foreign = resize(foreign, *rig.input_size_px)
    one = frames[0].file
    planted = [
        replace(frames[0], picture=small_foreign),
        replace(frames[1], picture=np.ascontiguousarray(frames[1].picture[..., ::-1])),
        replace(frames[2], picture=np.zeros_like(frames[2].picture)),
        *frames[3:],
    ]
    found = kinds(planted)
    assert found["another station"] == (one,)
    assert found["swapped channels"] == (frames[1].file,)
    assert found["constant picture"] == (frames[2].file,)
    assert len(found) == 3
    thousand = [replace(f, point_m=f.point_m * 1000, keypoints_world=f.keypoints_world) for f in frames]
    assert list(kinds(thousand)) == ["units"]
    far = int(np.argmax(np.linalg.norm(seen - seen[0], axis=2).mean(axis=1)))
    exchanged = list(frames)
    for a, b in ((0, far), (far, 0)):
        exchanged[a] = replace(
            frames[a], point_m=frames[b].point_m, joints=frames[b].joints, keypoints_world=frames[b].keypoints_world
        )
    assert {k: set(v) for k, v in kinds(exchanged).items()} == {"swapped labels": {one, frames[far].file}}
    repeated = [replace(frames[0], file=f"{k}.jpg") for k in range(10)]
    assert "repeated frame" in kinds(repeated)
