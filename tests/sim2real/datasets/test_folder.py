import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.errors import InputError
from calibration.lifting import keypoints_world, label_point
from calibration.rig_file import load_rig, rig_names
from envs.labels import label_images
from sim2real.collect import collect, draw_again
from sim2real.configs import CollectConfig
from sim2real.realdata import load_real

FRAMES = 6


@pytest.mark.parametrize("name", rig_names())
def test_the_folder_is_read_back_as_photographs_are(name: str, tmp_path: Path) -> None:
    rig = load_rig(name)
    out = collect(CollectConfig(name, tmp_path / "set", FRAMES, "folder", seed=1))
    worlds, images = draw_again(out, range(FRAMES))
    labels = label_images(rig, worlds, images)
    data = load_real(out, rig)
    read = {int(Path(f.file).stem): f for f in data.frames}
    hidden = {int(Path(f).stem) for f, _ in data.left_out}
    faulty = {int(Path(f).stem) for f, _ in data.faulty}
    assert set(read) | hidden | faulty == set(range(FRAMES))
    assert len(read) >= 3
    for k, frame in read.items():
        np.testing.assert_allclose(frame.point_m, label_point(rig, worlds[k]), atol=1e-12)
        np.testing.assert_allclose(frame.keypoints_world, keypoints_world(rig, worlds[k]), atol=1e-9)
        picture = cv2.imread(str(out / frame.file))
        assert picture is not None
        np.testing.assert_array_equal(picture[..., ::-1], images.rgb[k])
        if frame.joints is not None:
            assert frame.joints == {j.name: worlds[k].joint_positions()[j.name] for j in rig.joints}
        if rig.data.visible_column:
            share = float(labels.visible[k].min())
            assert frame.visible == ("full" if share > 0.8 else "clipped")
    for k in hidden:
        inside = images.views[k].intrinsics.contains(labels.keypoints_px[k])
        assert labels.visible[k].min() <= 0.3 or not inside.all()


def test_the_columns_are_those_that_the_rig_declares(tmp_path: Path) -> None:
    out = collect(CollectConfig("psm_tool", tmp_path / "set", 2, "folder"))
    rig = load_rig("psm_tool")
    with (out / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    declared = {rig.data.image_column, *(rig.label.point_columns or rig.label.columns)}
    declared |= {j.column for j in rig.joints if j.column}
    declared |= {c for c in (rig.data.group_column, rig.data.visible_column) if c}
    assert set(rows[0]) == declared
    assert [r[rig.data.image_column] for r in rows] == ["images/000000.png", "images/000001.png"]


def test_another_shape_than_the_camera_of_the_rig(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--size must have the shape 640:480 .* got 100 x 100"):
        collect(CollectConfig("cube_on_table", tmp_path / "set", 2, "folder", size=(100, 100)))
    assert not (tmp_path / "set").exists()
