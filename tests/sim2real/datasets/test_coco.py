import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from calibration.kinematics import nominal_world
from calibration.rig_file import load_rig, parse_rig
from calibration.world import with_values
from envs.labels import FrameLabels, label_frame
from envs.rendering.tiny import TinyRenderer
from sim2real.collect import collect, draw_again
from sim2real.configs import CollectConfig
from sim2real.datasets.coco import CocoWriter

# pycocotools' own arrays are behind NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

FRAMES = 5


@pytest.fixture(scope="module", params=["rle", "polygons"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("coco") / "set"
    return collect(CollectConfig("cube_on_table", out, FRAMES, "coco", seed=4, segmentation=request.param))


def read(path: Path) -> COCO:
    return COCO(str(path))


def test_coco_reads_every_mask_as_the_segmentation_has_it(folder: Path) -> None:
    data = read(folder / "annotations" / "instances.json")
    worlds, images = draw_again(folder, range(FRAMES))
    assert data.getImgIds() == list(range(FRAMES))
    for k, world in enumerate(worlds):
        found = np.full(images.segmentation[k].shape, -1, np.int16)
        names = [b.name for b in world.bodies]
        instances = data.loadAnns(data.getAnnIds(imgIds=k))
        free = [i for i, b in enumerate(world.bodies) if b.role == "distractor" and (images.segmentation[k] == i).any()]
        for one in instances:
            name = data.loadCats(one["category_id"])[0]["name"]
            index = free.pop(0) if name == "distractor" else names.index(name)
            mask = data.annToMask(one).astype(bool)
            assert one["area"] == mask.sum()
            assert one["iscrowd"] == 0
            rows, columns = np.nonzero(mask)
            x, y = columns.min(), rows.min()
            assert one["bbox"] == [x, y, columns.max() + 1 - x, rows.max() + 1 - y]
            assert (found[mask] == -1).all()
            found[mask] = index
        np.testing.assert_array_equal(found, images.segmentation[k])
        assert len({a["id"] for a in data.dataset["annotations"]}) == len(data.dataset["annotations"])


def test_pictures_are_those_of_the_worlds(folder: Path) -> None:
    _, images = draw_again(folder, range(FRAMES))
    data = read(folder / "annotations" / "instances.json")
    for entry in data.loadImgs(data.getImgIds()):
        picture = cv2.imread(str(folder / "images" / entry["file_name"]))
        assert picture is not None
        assert picture.shape == (entry["height"], entry["width"], 3)
        np.testing.assert_array_equal(picture[..., ::-1], images.rgb[entry["id"]])


def test_categories_are_bodies_and_distractors(folder: Path) -> None:
    data = read(folder / "annotations" / "instances.json")
    categories = {c["name"]: c for c in data.loadCats(data.getCatIds())}
    rig = load_rig("cube_on_table")
    assert set(categories) == {b.name for b in rig.bodies} | {"distractor"}
    assert categories["cube"]["supercategory"] == "object"
    assert categories["cube"]["keypoints"] == ["cube centre"]
    assert categories["cube"]["skeleton"] == []
    assert "keypoints" not in categories["table"]
    assert min(c["id"] for c in categories.values()) == 1


def test_keypoints_are_the_labels(folder: Path) -> None:
    data = read(folder / "annotations" / "keypoints.json")
    assert [c["name"] for c in data.loadCats(data.getCatIds())] == ["cube"]
    worlds, images = draw_again(folder, range(FRAMES))
    rig = load_rig("cube_on_table")
    checked = 0
    for one in data.loadAnns(data.getAnnIds()):
        k = one["image_id"]
        labels = label_frame(rig, worlds[k], images, k)
        u, v, flag = one["keypoints"]
        if flag:
            np.testing.assert_allclose([u, v], labels.keypoints_px[0], atol=1e-3)
            on_cube = labels.segmentation[round(v), round(u)] == 1
            assert flag == (2 if on_cube else 1)
            checked += 1
        assert one["num_keypoints"] == (flag > 0)
        assert set(one["keypoints"]) == {0} or flag
    assert checked >= 3


def labelled(text: str, **values: object) -> tuple[CocoWriter, FrameLabels, np.ndarray]:
    rig = parse_rig(text, "test", Path())
    world = with_values(nominal_world(rig), {k.replace("__", "."): v for k, v in values.items()})
    renderer = TinyRenderer(rig)
    images = renderer.render([world], rig.camera.intrinsics())
    renderer.close()
    return CocoWriter(Path(), rig, nominal_world(rig)), label_frame(rig, world, images, 0), images.rgb[0]


@pytest.mark.parametrize(
    ("screen_y", "expected"),
    [(9.0, [159.5, 119.5, 2]), (0.4834, [159.5, 119.5, 1])],
)
def test_a_covered_keypoint_is_flagged(screen_y: float, expected: list[float], small_rig: str, tmp_path: Path) -> None:
    # A screen that ends 1.7 cm to the right of the middle hides it and leaves the right side of the box.
    writer, labels, rgb = labelled(small_rig, bodies__screen__position_m=(-1.0, screen_y, 0.5))
    writer = CocoWriter(tmp_path, writer._rig, nominal_world(writer._rig))
    writer.prepare(labels.view.intrinsics)
    entry = writer.add(0, rgb, labels)
    target = next(i for i in entry["instances"] if i["category_id"] == 1)
    assert target["keypoints"] == expected
    assert target["num_keypoints"] == 1
    assert target["visible"] < 0.4 or expected[2] == 2
    # All of the box, from the corner of the picture: its near face is 1.9 m away and 0.2 m wide.
    side = 300 * 0.2 / 1.9
    np.testing.assert_allclose(target["amodal_bbox"], [160 - side / 2, 120 - side / 2, side, side], atol=0.01)


def test_a_hidden_body_has_no_instance(small_rig: str, tmp_path: Path) -> None:
    writer, labels, rgb = labelled(small_rig, bodies__screen__position_m=(-1.0, 0.0, 0.5))
    writer = CocoWriter(tmp_path, writer._rig, nominal_world(writer._rig))
    writer.prepare(labels.view.intrinsics)
    assert [i["category_id"] for i in writer.add(0, rgb, labels)["instances"]] == [2]


def test_polygons_give_way_to_run_lengths_where_there_is_a_hole(tmp_path: Path, small_rig: str) -> None:
    # The box stands before the middle of the screen and makes a hole in it.
    writer, labels, rgb = labelled(small_rig, bodies__screen__position_m=(1.0, 0.0, 0.5))
    writer = CocoWriter(tmp_path, writer._rig, nominal_world(writer._rig), "polygons")
    writer.prepare(labels.view.intrinsics)
    box, screen = writer.add(0, rgb, labels)["instances"]
    assert isinstance(box["segmentation"], list)
    assert set(screen["segmentation"]) == {"size", "counts"}


def test_an_arm_is_an_instance_without_a_whole_outline(tmp_path: Path) -> None:
    out = collect(CollectConfig("panda_tabletop", tmp_path / "set", 2))
    data = json.loads((out / "annotations" / "instances.json").read_text())
    robot = next(c["id"] for c in data["categories"] if c["name"] == "robot")
    found = [a for a in data["annotations"] if a["category_id"] == robot]
    assert len(found) == 2
    assert all(a["area"] > 100 for a in found)
