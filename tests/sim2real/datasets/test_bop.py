"""The rules of the BOP toolkit's docs/bop_datasets_format.md and of its scripts/calc_gt_info.py."""

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.kinematics import frame_matrices
from calibration.rig import Rig
from calibration.rig_file import load_rig
from envs.labels.outlines import Shape
from sim2real.collect import collect, draw_again
from sim2real.configs import CollectConfig
from sim2real.datasets import bop
from sim2real.datasets.bop_models import model_info, write_models

FRAMES = 7
PER_SCENE = 4


@pytest.fixture(scope="module", params=["cube_on_table", "psm_tool"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bop") / "set"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bop, "FRAMES_PER_SCENE", PER_SCENE)
        return collect(CollectConfig(request.param, out, FRAMES, "bop", seed=2))


def scenes(folder: Path) -> list[Path]:
    return sorted((folder / "train").iterdir())


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def plane(path: Path, kind: type) -> NDArray[Any]:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    assert found.dtype == kind
    assert found.ndim == 2
    return found


def model_points(folder: Path, number: int) -> NDArray[np.float64]:
    lines = (folder / "models" / f"obj_{number:06d}.ply").read_text().splitlines()
    assert lines[:2] == ["ply", "format ascii 1.0"]
    count = int(next(line for line in lines if line.startswith("element vertex")).split()[-1])
    faces = int(next(line for line in lines if line.startswith("element face")).split()[-1])
    start = lines.index("end_header") + 1
    assert len(lines) == start + count + faces
    vertices = np.array([line.split() for line in lines[start : start + count]], float)
    triangles = np.array([line.split() for line in lines[start + count :]], int)
    assert triangles[:, 0].tolist() == [3] * faces
    assert triangles[:, 1:].max() == count - 1
    np.testing.assert_allclose(np.linalg.norm(vertices[:, 3:], axis=1), 1, atol=1e-4)
    corners = vertices[triangles[:, 1:], :3]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("ij,ij->i", normal, corners.mean(axis=1)) > 0).all(), "triangles must be seen from outside"
    return vertices[:, :3]


def test_names_and_counts(folder: Path) -> None:
    assert [s.name for s in scenes(folder)] == ["000000", "000001"]
    for scene, count in zip(scenes(folder), (PER_SCENE, FRAMES - PER_SCENE), strict=True):
        keys = [str(k) for k in range(count)]
        for name in ("scene_camera", "scene_gt", "scene_gt_info"):
            assert list(read(scene / f"{name}.json")) == keys
        for name in ("rgb", "depth"):
            assert sorted(p.name for p in (scene / name).iterdir()) == [f"{k:06d}.png" for k in range(count)]
        poses = read(scene / "scene_gt.json")
        expected = [f"{int(k):06d}_{n:06d}.png" for k in keys for n in range(len(poses[k]))]
        for name in ("mask", "mask_visib"):
            assert sorted(p.name for p in (scene / name).iterdir()) == expected
    models = {p.name for p in (folder / "models").iterdir()}
    assert all(re.fullmatch(r"obj_\d{6}\.ply|models_info\.json", name) for name in models)


def test_cameras_and_poses_are_rigid_and_in_millimetres(folder: Path) -> None:
    worlds, images = draw_again(folder, range(FRAMES))
    number = 0
    for scene in scenes(folder):
        cameras, poses = read(scene / "scene_camera.json"), read(scene / "scene_gt.json")
        for key, camera in cameras.items():
            assert set(camera) == {"cam_K", "depth_scale", "cam_R_w2c", "cam_t_w2c"}
            view = images.views[number]
            np.testing.assert_allclose(np.reshape(camera["cam_K"], (3, 3)), view.intrinsics.matrix())
            assert view.intrinsics.is_straight
            rotation = rigid(camera["cam_R_w2c"])
            centre = -rotation.T @ camera["cam_t_w2c"]
            np.testing.assert_allclose(centre, 1000 * np.array(view.world_from_camera.position_m), atol=1e-6)
            for pose in poses[key]:
                assert set(pose) == {"cam_R_m2c", "cam_t_m2c", "obj_id"}
                rigid(pose["cam_R_m2c"])
                assert worlds[number].bodies[pose["obj_id"] - 1].size_scale == 1.0
            number += 1
    assert number == FRAMES


def rigid(numbers: list[float]) -> NDArray[np.float64]:
    assert len(numbers) == 9
    rotation = np.reshape(numbers, (3, 3))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)
    return rotation


def rig_of(folder: Path) -> Rig:
    return load_rig(read(folder / "config.json")["rig"])


def test_objects_are_where_the_world_has_them(folder: Path) -> None:
    worlds, _ = draw_again(folder, range(PER_SCENE))
    scene = scenes(folder)[0]
    cameras, poses = read(scene / "scene_camera.json"), read(scene / "scene_gt.json")
    for k, world in enumerate(worlds):
        frames = frame_matrices(rig_of(folder), world)
        assert len(poses[str(k)]) >= 3
        for pose in poses[str(k)]:
            camera = cameras[str(k)]
            world_from_camera = np.reshape(camera["cam_R_w2c"], (3, 3)).T
            place = world_from_camera @ (np.array(pose["cam_t_m2c"]) - camera["cam_t_w2c"])
            expected = frames[world.bodies[pose["obj_id"] - 1].name]
            np.testing.assert_allclose(place / 1000, expected[:3, 3], atol=1e-9)
            turn = world_from_camera @ np.reshape(pose["cam_R_m2c"], (3, 3))
            np.testing.assert_allclose(turn, expected[:3, :3], atol=1e-9)


def test_masks_boxes_and_counts_agree(folder: Path) -> None:
    for scene in scenes(folder):
        poses, infos = read(scene / "scene_gt.json"), read(scene / "scene_gt_info.json")
        for key in poses:
            depth = plane(scene / "depth" / f"{int(key):06d}.png", np.uint16)
            taken = np.zeros(depth.shape, bool)
            assert len(infos[key]) == len(poses[key])
            for n, info in enumerate(infos[key]):
                name = f"{int(key):06d}_{n:06d}.png"
                whole, seen = (plane(scene / kind / name, np.uint8) for kind in ("mask", "mask_visib"))
                assert set(np.unique(whole)) | set(np.unique(seen)) <= {0, 255}
                assert (whole[seen > 0] == 255).all(), "what is seen is part of the silhouette"
                assert not (taken & (seen > 0)).any(), "a pixel shows one object"
                taken |= seen > 0
                assert info["px_count_visib"] == (seen > 0).sum()
                assert info["px_count_valid"] == (depth[whole > 0] > 0).sum()
                assert info["px_count_all"] >= (whole > 0).sum()
                assert info["visib_fract"] == pytest.approx(info["px_count_visib"] / info["px_count_all"])
                if not info["px_count_visib"]:
                    assert info["bbox_visib"] == info["bbox_obj"] == [-1, -1, -1, -1]
                    continue
                rows, columns = np.nonzero(seen)
                x, y = columns.min(), rows.min()
                assert info["bbox_visib"] == [x, y, columns.max() - x, rows.max() - y]
                rows, columns = np.nonzero(whole)
                x, y, w, h = info["bbox_obj"]
                height, width = whole.shape
                inside = (int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max()))
                if x >= 0 and y >= 0 and x + w < width and y + h < height:
                    assert info["px_count_all"] == (whole > 0).sum()
                    assert inside == (x, y, x + w, y + h)
                else:
                    assert inside[0] >= x
                    assert inside[1] >= y
                    assert inside[2] <= x + w
                    assert inside[3] <= y + h


def test_model_points_fall_into_the_box_of_the_mask(folder: Path) -> None:
    checked = 0
    points = {int(k): model_points(folder, int(k)) for k in read(folder / "models" / "models_info.json")}
    for scene in scenes(folder):
        poses, infos = read(scene / "scene_gt.json"), read(scene / "scene_gt_info.json")
        cameras = read(scene / "scene_camera.json")
        for key in poses:
            k = np.reshape(cameras[key]["cam_K"], (3, 3))
            height, width = plane(scene / "depth" / f"{int(key):06d}.png", np.uint16).shape
            for pose, info in zip(poses[key], infos[key], strict=True):
                rotation = np.reshape(pose["cam_R_m2c"], (3, 3))
                in_camera = points[pose["obj_id"]] @ rotation.T + pose["cam_t_m2c"]
                x, y, w, h = info["bbox_obj"]
                on_canvas = x > -width and y > -height and x + w < 2 * width - 1 and y + h < 2 * height - 1
                if info["px_count_visib"] == 0 or in_camera[:, 2].min() < 1 or not on_canvas:
                    continue
                pixels = in_camera @ k.T
                pixels = pixels[:, :2] / pixels[:, 2:]
                # A sharp corner may reach two pixels beyond the last pixel whose centre it covers.
                beyond = np.array([[x, y] - pixels.min(axis=0), pixels.max(axis=0) - [x + w, y + h]])
                assert beyond.min() > -0.6
                assert beyond.max() < 2.5
                if info["px_count_all"] > 400:
                    assert beyond.mean() < 1.0
                checked += 1
    assert checked > 10


def test_depth_is_in_millimetres(folder: Path) -> None:
    _, images = draw_again(folder, range(FRAMES))
    number = 0
    for scene in scenes(folder):
        for key, camera in read(scene / "scene_camera.json").items():
            depth = plane(scene / "depth" / f"{int(key):06d}.png", np.uint16)
            true = images.depth_m[number] * 1000.0
            reached = np.isfinite(true) & (true < 6553)
            assert reached.mean() > 0.05
            np.testing.assert_allclose(depth[reached] * camera["depth_scale"], true[reached], atol=0.051)
            assert (depth[~reached] == 0).all()
            number += 1


def test_models_have_their_sizes(folder: Path) -> None:
    rig = rig_of(folder)
    infos = read(folder / "models" / "models_info.json")
    for index, body in enumerate(rig.bodies):
        info = infos[str(index + 1)]
        points = model_points(folder, index + 1)
        for axis, half in zip("xyz", body.half_extents_m(), strict=True):
            column = "xyz".index(axis)
            assert info[f"size_{axis}"] == pytest.approx(2000 * half)
            assert info[f"min_{axis}"] == pytest.approx(-1000 * half)
            assert np.ptp(points[:, column]) == pytest.approx(2000 * half, rel=2e-3)
        sample = points[:: max(1, len(points) // 400)]
        distances = np.linalg.norm(sample[:, None] - sample[None], axis=-1).max()
        assert distances <= info["diameter"] + 1e-3
        assert distances > 0.99 * info["diameter"]


def test_the_camera_file(folder: Path) -> None:
    assert set(read(folder / "camera.json")) == {"cx", "cy", "fx", "fy", "width", "height", "depth_scale"}


@pytest.mark.parametrize(
    ("shape", "discrete", "continuous"),
    [
        (Shape("box", (1.0, 1.0, 1.0)), 23, 0),
        (Shape("box", (1.0, 1.0, 2.0)), 7, 0),
        (Shape("box", (1.0, 2.0, 3.0)), 3, 0),
        (Shape("cylinder", (1.0, 1.0, 1.0)), 7, 1),
        (Shape("cylinder", (1.0, 2.0, 1.0)), 3, 0),
        (Shape("sphere", (1.0, 1.0, 1.0)), 0, 3),
    ],
)
def test_symmetries_keep_the_shape(shape: Shape, discrete: int, continuous: int, tmp_path: Path) -> None:
    info = model_info(shape)
    assert len(info.get("symmetries_discrete", [])) == discrete
    assert len(info.get("symmetries_continuous", [])) == continuous
    write_models(tmp_path / "models", {1: shape})
    points = model_points(tmp_path, 1) / 1000
    for numbers in info.get("symmetries_discrete", []):
        turned = points @ np.reshape(numbers, (4, 4))[:3, :3].T
        assert np.linalg.det(np.reshape(numbers, (4, 4))) == pytest.approx(1)
        nearest = np.linalg.norm(turned[:: len(points) // 20 + 1, None] - points[None], axis=-1).min(axis=1)
        assert nearest.max() < 0.03


def test_an_arm_is_no_object(tmp_path: Path) -> None:
    out = collect(CollectConfig("panda_tabletop", tmp_path / "set", 1, "bop"))
    scene = out / "train" / "000000"
    worlds, _ = draw_again(out, [0])
    names = {worlds[0].bodies[p["obj_id"] - 1].name for p in read(scene / "scene_gt.json")["0"]}
    assert "cube" in names
    assert "robot" not in names
