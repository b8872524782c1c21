"""What pictures are compared by, and photographs that simulation drew itself, so that the truth is known."""

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.lifting import keypoints_world, label_point
from calibration.rig_file import load_rig
from calibration.view import CameraView
from calibration.world import with_values
from sim2real.gap.diagnosis.looks import KINDS, SCALES, Looks, signature
from sim2real.gap.diagnosis.seeing_groups import seeing_groups
from sim2real.gap.diagnosis.stepwise import diagnose
from sim2real.randomization import RandomizationSpec
from sim2real.realdata import RealFrame
from sim2real.stream import SimulatedFrames

PLACES = np.array([[3, 90], [120, 90]])
PLANTED = {"camera.tilt_rad": (0.02, -0.03, 0.01)}


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.uniform(60, 190, (6, 8, 3))
    return np.asarray(cv2.resize(coarse, (240, 180), interpolation=cv2.INTER_NEAREST), np.uint8)


def _apart(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    pairs = zip(KINDS, signature(one, PLACES), signature(other, PLACES), SCALES, strict=True)
    return {kind: float(np.abs(a - b).mean() / scale) for kind, a, b, scale in pairs}


def test_each_kind_tells_its_own_change(picture: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    noisy = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.5)
    brighter = np.clip(picture * 1.2, 0, 255).astype(np.uint8)
    moved = np.roll(picture, 4, axis=1)
    assert all(v == 0 for v in _apart(picture, picture).values())
    noise, blur, gain, shift = (_apart(p, picture) for p in (noisy, blurred, brighter, moved))
    assert max(noise, key=noise.__getitem__) == "fine grain"
    assert noise["colours"] < 0.3
    assert max(blur, key=blur.__getitem__) == "sharpness"
    assert blur["colours"] < 1.5
    assert gain["colours"] > 1.5
    assert gain["fine grain"] < 0.5
    assert shift["edges"] > 2 * max(noise["edges"], gain["edges"])
    assert shift["sharpness"] < 1.5


@pytest.fixture(scope="module")
def drawn() -> Any:
    """Labelled photographs of a station whose camera is turned, drawn by the renderer that twins are drawn by."""
    rig = load_rig("cube_on_table")
    nominal = nominal_world(rig)
    name = rig.keypoints[0].frame
    x, y, z = nominal.body(name).position_m
    rng = np.random.default_rng(0)
    places = [(x + dx, y + dy, z) for dx, dy in rng.uniform(-0.2, 0.2, (4, 2)).tolist()]
    worlds = [with_values(nominal, {f"bodies.{name}.position_m": place} | PLANTED) for place in places]
    stream = SimulatedFrames(rig, RandomizationSpec("nominal", ()), 0, rig.camera.intrinsics(), "cpu", threads=1)
    pictures = stream.draw_worlds([dataclasses.replace(w, noise_seed=k) for k, w in enumerate(worlds)]).rgb
    stream.close()
    frames = [
        RealFrame(f"{k}.png", "", p, label_point(rig, w), None, keypoints_world(rig, w), "full", "", None)
        for k, (p, w) in enumerate(zip(pictures, worlds, strict=True))
    ]
    return rig, frames, pictures


def test_the_truth_fits_best_and_nearly_perfectly(drawn: Any) -> None:
    rig, frames, pictures = drawn
    looks = Looks(rig, CameraView.of(rig), frames, pictures, "cpu", 1)
    nominal, truth = looks.misfits({}, range(4)).mean(axis=0), looks.misfits(PLANTED, range(4)).mean(axis=0)
    opposite = looks.misfits({"camera.tilt_rad": (-0.02, 0.03, -0.01)}, range(4)).mean(axis=0)
    looks.close()
    assert truth.shape == (5,)
    assert truth.sum() < 0.3 * nominal.sum()
    assert nominal.sum() < opposite.sum()


def test_refits_find_the_camera_and_its_turn(drawn: Any) -> None:
    rig, frames, pictures = drawn
    looks = Looks(rig, CameraView.of(rig), frames, pictures, "cpu", 1)
    groups = [g for g in seeing_groups(rig, looks.nominal) if g.name in ("camera tilt", "exposure", "focal length")]
    found = diagnose(groups, looks, seed=0, most=1)
    looks.close()
    assert found.found[0].group == "camera tilt"
    # Roll moves a picture's middle not at all, and is told less well.
    assert found.found[0].values["camera.tilt_rad"][:2] == pytest.approx(PLANTED["camera.tilt_rad"][:2], abs=0.006)


def test_the_given_camera_is_where_refits_start(drawn: Any) -> None:
    rig, frames, pictures = drawn
    turned = CameraView.of(rig).moved(
        dataclasses.replace(nominal_world(rig).camera, tilt_rad=PLANTED["camera.tilt_rad"])
    )
    looks = Looks(rig, turned, frames, pictures, "cpu", 1)
    assert looks.nominal.camera.tilt_rad == pytest.approx(PLANTED["camera.tilt_rad"])
    aligned = looks.misfits({}, range(4)).sum()
    tilt = next(g for g in seeing_groups(rig, looks.nominal) if g.name == "camera tilt")
    assert looks.misfits(tilt.values(np.zeros(3)), range(4)).sum() == pytest.approx(aligned)
    looks.close()


def test_a_keypoint_without_a_body_is_refused(drawn: Any) -> None:
    rig, frames, pictures = drawn
    other = dataclasses.replace(rig, keypoints=(dataclasses.replace(rig.keypoints[0], frame="world"),))
    with pytest.raises(InputError, match="first keypoint must belong to a body"):
        Looks(other, CameraView.of(rig), frames, pictures, "cpu", 1)
