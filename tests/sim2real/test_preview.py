"""Sheets to look at: what is drawn stands where it should, and what a person reads on them is true."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.alignment import align_camera
from calibration.bodies import Body, Joint
from calibration.errors import InputError
from calibration.kinematics import frame_matrices, nominal_world
from calibration.lifting import keypoints_world, label_point
from calibration.rig import Keypoint, Rig
from calibration.rig_file import load_rig
from calibration.world import with_values
from envs.labels import FrameLabels
from envs.rendering.choice import make_renderer
from envs.rendering.cpu_renderer import CpuRenderer
from sim2real.cli import main
from sim2real.presets import load_preset, rig_spec
from sim2real.preview.drawing import draw_labelled
from sim2real.preview.geometry_tiles import depth_tile, drawn_edges, normals_tile
from sim2real.preview.matching import match_outline
from sim2real.preview.overlays import HIDDEN, SEEN, Overlay, label_overlay
from sim2real.preview.photographs import photographs_sheet
from sim2real.preview.placing import labelled_world, target_bodies
from sim2real.preview.tiles import GAP_PX, LINE_PX, Picture, shortened, text_size
from sim2real.preview.worlds import tile_size
from sim2real.realdata import RealFrame, load_real
from sim2real.stream import SimulatedFrames

CUBE = "cube_on_table"


@pytest.fixture(scope="module")
def rig() -> Rig:
    return load_rig(CUBE)


@pytest.fixture(scope="module")
def cpu(rig: Rig) -> CpuRenderer:
    return CpuRenderer(rig, threads=1)


@pytest.fixture(scope="module")
def nominal(rig: Rig, cpu: CpuRenderer) -> tuple[Picture, FrameLabels]:
    return next(draw_labelled(rig, cpu, [nominal_world(rig)], rig.input_camera()))


@pytest.fixture(scope="module")
def pack(rig: Rig, cpu: CpuRenderer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs that are drawings of the nominal world with the cube at its label."""
    folder = tmp_path_factory.mktemp("pack")
    (folder / "images").mkdir()
    rows = []
    for k, (x, y) in enumerate(((-0.6, 0.2), (-0.9, -0.3))):
        world = with_values(nominal_world(rig), {"bodies.cube.position_m": (x, y, 0.93)})
        picture = cpu.render([world], rig.camera.intrinsics()).rgb[0]
        cv2.imwrite(str(folder / "images" / f"{k}.png"), picture[..., ::-1])
        rows.append(f"images/{k}.png,{k},{k},{x},{y},0.33,full")
    (folder / "labels.csv").write_text("\n".join(("file,grid_x,grid_y,x_m,y_m,z_m,visible", *rows)) + "\n")
    return folder


def command(*words: object) -> int:
    return main(["preview", *(str(w) for w in words)])


def read(path: Path) -> Picture:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture[..., ::-1], np.uint8)


def labelled(point: tuple[float, float, float], keypoints: NDArray[np.float64], **more: object) -> RealFrame:
    values = {"joints": None, "visible": "full", "group": "0", "fault": None} | more
    return RealFrame("a.png", "", np.zeros((1, 1, 3), np.uint8), np.array(point), keypoints_world=keypoints, **values)


def test_plane_label_puts_its_body_there_and_keeps_its_turn(rig: Rig) -> None:
    start = with_values(nominal_world(rig), {"bodies.cube.rpy_rad": (0.0, 0.0, 0.4)})
    rig = replace(rig, keypoints=(Keypoint("corner", "cube", (0.04, 0.04, 0.0)),))
    wanted = (-0.7, 0.25, 0.33)
    frame = labelled(wanted, rig.world_from_label_frame().apply(wanted)[None])
    world = labelled_world(rig, start, frame)
    np.testing.assert_allclose(label_point(rig, world), wanted, atol=1e-12)
    assert world.body("cube").rpy_rad == (0.0, 0.0, 0.4)
    assert with_values(world, {"bodies.cube.position_m": start.body("cube").position_m}) == start


def test_plane_label_of_a_body_on_a_turned_joint(rig: Rig) -> None:
    joint = Joint("turntable", "world", "revolute", (0.0, 0.0, 1.0), (-2.0, 2.0), (0.3, 0.1, 0.2), (0.2, 0.0, 0.5))
    cube = Body("cube", "object", "box", (0.08, 0.08, 0.08), parent="turntable", position_m=(0.1, 0.2, 0.3))
    rig = replace(rig, joints=(joint,), bodies=(cube,), placements=(), distractors=None, alignment_body=None)
    start = with_values(nominal_world(rig), {"joints.turntable.position": 0.7})
    target = np.array([[0.4, -0.2, 0.9]])
    world = labelled_world(rig, start, labelled((0.4, -0.2, 0.3), target))
    np.testing.assert_allclose(keypoints_world(rig, world), target, atol=1e-12)


def test_joint_label_takes_measured_joints_or_solves_them() -> None:
    tool = load_rig("psm_tool")
    start = nominal_world(tool)
    joints = {"yaw": -0.5, "pitch": -0.1, "insertion": 0.2}
    there = with_values(start, {f"joints.{n}.position": v for n, v in joints.items()})
    x, y, z = label_point(tool, there)
    frame = labelled((x, y, z), keypoints_world(tool, there))
    assert labelled_world(tool, start, replace(frame, joints=joints)) == there
    solved = labelled_world(tool, start, frame)
    np.testing.assert_allclose(label_point(tool, solved), (x, y, z), atol=1e-6)
    assert target_bodies(tool) == ("small_ball", "large_ball")


def test_keypoint_that_no_body_carries_cannot_be_placed(rig: Rig) -> None:
    panda = load_rig("panda_tabletop")
    panda = replace(panda, keypoints=(Keypoint("hand", "panda_hand"),))
    assert target_bodies(panda) == ("robot",)
    with pytest.raises(InputError, match=r"panda_tabletop: the first keypoint must belong to a body .* 'panda_hand'"):
        labelled_world(panda, nominal_world(panda), labelled((0.5, 0.0, 0.0), np.zeros((1, 3))))


def pattern(width: int = 200, height: int = 150) -> tuple[Picture, NDArray[np.bool_], NDArray[np.float32]]:
    """Return a picture of a box before a wall, where it is, and the depth."""
    mask = np.zeros((height, width), np.bool_)
    mask[60:95, 80:130] = True
    noise = np.random.default_rng(0).integers(0, 12, (height, width, 3))
    picture = (np.where(mask[..., None], (200, 190, 150), (60, 70, 90)) + noise).astype(np.uint8)
    return picture, mask, np.where(mask, 1.0, 2.0).astype(np.float32)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (5, -3), (-7, 9)])
def test_outline_is_found_where_the_photograph_has_it(right: int, down: int) -> None:
    picture, mask, depth = pattern()
    found = match_outline(np.roll(picture, (down, right), axis=(0, 1)), mask, depth, 12)
    assert found is not None
    assert (found.right_px, found.down_px, found.clear) == (right, down, True)
    assert found.distance_px == pytest.approx(np.hypot(right, down))


def test_outline_that_fits_nowhere_or_in_two_places_is_not_clear() -> None:
    picture, mask, depth = pattern()
    empty = match_outline(np.full_like(picture, 90), mask, depth, 12)
    # Two equal boxes, 10 px to either side of where one is looked for.
    twice = np.full_like(picture, 60)
    box = np.zeros_like(mask)
    box[60:95, 97:113] = True
    for shift in (-20, 20):
        twice[np.roll(box, shift, axis=1)] = 200
    two = match_outline(twice, box, np.where(box, 1.0, 2.0).astype(np.float32), 24)
    beyond = match_outline(np.roll(picture, 14, axis=1), mask, depth, 12)
    for found in (empty, two, beyond):
        assert found is not None
        assert not found.clear


def test_outline_near_the_border_is_not_judged() -> None:
    picture, mask, depth = pattern()
    assert match_outline(np.roll(picture, 60, axis=1), np.roll(mask, 60, axis=1), depth, 60) is None


def test_edge_of_what_hides_a_body_is_no_outline_of_it() -> None:
    # A wide body moved 6 px in the photograph; bars before it, with longer edges, stay where they were.
    mask = np.zeros((200, 260), np.bool_)
    mask[60:140, 40:220] = True
    hider = np.zeros_like(mask)
    for left in range(50, 210, 20):
        hider[62:138, left : left + 8] = True
    picture = np.full((200, 260, 3), 60, np.uint8)
    picture[np.roll(mask, 6, axis=1)] = 120
    picture[hider] = 250
    depth = np.where(hider, 0.5, np.where(mask, 1.0, 2.0)).astype(np.float32)
    found = match_outline(picture, mask & ~hider, depth, 12)
    assert found is not None
    assert (found.right_px, found.down_px) == (6.0, 0.0)


def test_edges_stand_on_the_nearer_side_and_at_folds(nominal: tuple[Picture, FrameLabels]) -> None:
    segments = np.array([[0, 0, 1, 1]] * 3, np.int16)
    depth = np.array([[1.0, 1.0, 2.0, 2.0]] * 3, np.float32)
    normals = np.zeros((3, 4, 3), np.float32)
    normals[..., 2] = -1.0
    normals[2] = (0.0, -1.0, 0.0)
    labels = replace(nominal[1], segmentation=segments, depth_m=depth, normals=normals)
    np.testing.assert_array_equal(drawn_edges(labels)[0], [False, True, False, False])
    np.testing.assert_array_equal(drawn_edges(labels)[1], [True, True, True, True])
    np.testing.assert_array_equal(drawn_edges(replace(labels, normals=None))[1], [False, True, False, False])


def test_depth_is_warm_near_and_cold_far_and_grey_where_nothing_is(nominal: tuple[Picture, FrameLabels]) -> None:
    depth = np.full((60, 400), 1.0, np.float32)
    depth[:, 130:] = 2.0
    depth[:, 260:] = np.inf
    tile = depth_tile(replace(nominal[1], depth_m=depth), 400, 60)
    near, far, nothing = (tile[30, column].astype(int) for column in (60, 190, 300))
    assert near[0] > near[2] + 50
    assert far[2] > far[0]
    assert np.ptp(nothing) < 12
    empty = depth_tile(replace(nominal[1], depth_m=np.full((60, 400), np.inf, np.float32)), 400, 60)
    assert (empty == empty[0, 0]).all()


def test_normals_are_right_red_up_green_towards_the_camera_blue(nominal: tuple[Picture, FrameLabels]) -> None:
    normals = np.zeros((1, 4, 3), np.float32)
    normals[0, :3] = [(1, 0, 0), (0, -1, 0), (0, 0, -1)]
    tile = normals_tile(replace(nominal[1], normals=normals), 4, 1)
    np.testing.assert_array_equal(tile[0, :3], [(255, 128, 128), (128, 255, 128), (128, 128, 255)])
    assert np.ptp(tile[0, 3].astype(int)) < 12


def test_overlay_scales_areas_of_pixels(nominal: tuple[Picture, FrameLabels]) -> None:
    overlay = Overlay(np.zeros((360, 480, 3), np.uint8), nominal[1].view)
    np.testing.assert_allclose(overlay.scaled(np.array([[-0.5, -0.5], [0.0, 0.0], [159.5, 119.5]])),
                               [[-0.5, -0.5], [1.0, 1.0], [479.5, 359.5]])  # fmt: skip


def test_masks_tint_the_seen_pixels_of_bodies_and_nothing_else(nominal: tuple[Picture, FrameLabels]) -> None:
    picture, labels = nominal
    overlay = Overlay(np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1), labels.view)
    overlay.masks(labels)
    changed = (overlay.picture[::2, ::2] != picture).any(axis=2)
    np.testing.assert_array_equal(changed, labels.segmentation >= 0)
    for body in labels.bodies:
        tinted = overlay.picture[::2, ::2][labels.mask(body)].astype(int) - picture[labels.mask(body)]
        # One colour a body: the brighter the picture already was in a channel, the less is added.
        assert len(np.unique(np.column_stack([picture[labels.mask(body)], tinted]), axis=0)) <= len(
            np.unique(picture[labels.mask(body)], axis=0)
        )


@pytest.mark.parametrize(("share", "colour"), [(1.0, SEEN), (0.0, HIDDEN)])
def test_keypoint_is_ringed_where_it_is(
    share: float, colour: tuple[int, int, int], rig: Rig, nominal: tuple[Picture, FrameLabels]
) -> None:
    labels = replace(nominal[1], keypoints_px=np.array([[40.0, 30.0]]), visible=np.array([share]))
    overlay = Overlay(np.full((360, 480, 3), 128, np.uint8), labels.view)
    overlay.keypoints(rig, labels, names=False)
    left = overlay.picture[:, :130]
    rows, columns = np.nonzero(np.abs(left.astype(int) - colour).max(axis=2) < 40)
    assert len(rows) > 10
    # Pixel 40 covers columns 120 to 122 of a picture three times as large.
    assert (columns.min() + columns.max()) / 2 == pytest.approx(121.0, abs=1.0)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(91.0, abs=1.0)


def test_labels_behind_the_camera_or_far_outside_draw_nothing_odd(
    rig: Rig, nominal: tuple[Picture, FrameLabels]
) -> None:
    picture, labels = nominal
    nowhere = np.full((1, 2), np.nan)
    for keypoints in (nowhere, np.array([[1e9, -1e9]])):
        odd = replace(labels, keypoints_px=keypoints)
        drawn = label_overlay(picture, rig, odd, detailed=True)
        assert drawn.shape == picture.shape
    np.testing.assert_array_equal(picture, nominal[0])


@pytest.mark.parametrize(
    ("size", "tile"), [((160, 120), (480, 360)), ((640, 480), (640, 480)), ((1920, 1080), (960, 540))]
)
def test_tiles_are_whole_multiples_of_pictures(size: tuple[int, int], tile: tuple[int, int]) -> None:
    assert tile_size(*size) == tile


def test_worlds_on_the_sheet_are_what_training_sees(rig: Rig, tmp_path: Path) -> None:
    out = tmp_path / "new folder" / "sheet.png"
    words = ("--rig", CUBE, "--out", out, "--frames", 3, "--seed", 5, "--size", 400, 300, "--renderer", "cpu")
    assert command(*words) == 0
    sheet = read(out)
    assert sheet.shape == (LINE_PX + 2 * (LINE_PX + 300) + 4 * GAP_PX, 4 * 400 + 5 * GAP_PX, 3)
    stream = SimulatedFrames(rig, rig_spec(rig, load_preset(rig.preset)), 5, rig.camera.intrinsics().resized(400, 300))
    batch = stream.draw_worlds([nominal_world(rig), stream.world(0), stream.world(1)])
    stream.close()
    first, second = 2 * LINE_PX + 2 * GAP_PX, 3 * LINE_PX + 300 + 3 * GAP_PX
    for picture, top, column in zip(batch.rgb, (first, second, second), (0, 0, 2), strict=True):
        left = GAP_PX + column * (400 + GAP_PX)
        np.testing.assert_array_equal(sheet[top : top + 300, left : left + 400], picture)


def test_renderer_without_normals_says_so(rig: Rig) -> None:
    tiny = make_renderer(rig, "pybullet")
    _, labels = next(draw_labelled(rig, tiny, [nominal_world(rig)], rig.input_camera()))
    tiny.close()
    assert labels.normals is None
    assert len(np.unique(normals_tile(labels, 320, 240).reshape(-1, 3), axis=0)) > 1


def test_photograph_that_is_the_drawing_is_covered_by_it(rig: Rig, cpu: CpuRenderer, pack: Path) -> None:
    data = load_real(pack, rig)
    sheet = photographs_sheet(rig, data, cpu, 6, False, (640, 480))
    head, row = 2 * LINE_PX + GAP_PX, 3 * LINE_PX + 480 + 2 * GAP_PX
    assert sheet.shape == (head + 2 * row + GAP_PX, 5 * 640 + 6 * GAP_PX, 3)
    for k in range(2):
        top = head + k * row + 3 * LINE_PX + 2 * GAP_PX
        under, drawn, both, edges = (
            sheet[top : top + 480, GAP_PX + c * (640 + GAP_PX) :][:, :640].astype(int) for c in range(4)
        )
        np.testing.assert_array_equal(under, read(pack / "images" / f"{k}.png"))
        np.testing.assert_array_equal(drawn, under)
        np.testing.assert_array_equal(both, under)
        changed = (edges != under).any(axis=2)
        assert 0.002 < changed.mean() < 0.05


def test_outline_of_a_displaced_drawing_is_off_by_the_displacement(rig: Rig, cpu: CpuRenderer) -> None:
    camera = rig.camera.intrinsics()
    world = nominal_world(rig)
    _, labels = next(draw_labelled(rig, cpu, [world], camera))
    cube = next(b for b in labels.bodies if b.params.name == "cube")
    x, y, z = world.body("cube").position_m
    away = with_values(world, {"bodies.cube.position_m": (x, y - 0.02, z)})
    picture = cpu.render([away], camera).rgb[0]
    found = match_outline(picture, labels.mask(cube), labels.depth_m, 32)
    expected = labels.view.project(
        np.stack([frame_matrices(rig, w)["cube"][:3, 3] for w in (world, away)])
    )  # fmt: skip
    assert found is not None
    assert found.clear
    np.testing.assert_allclose((found.right_px, found.down_px), expected[1] - expected[0], atol=1.5)


@pytest.mark.real
def test_aligned_camera_brings_the_table_onto_the_photograph(rig: Rig, cpu: CpuRenderer, real_data: Path) -> None:
    data = load_real(real_data / CUBE, rig)
    change = align_camera(rig, data.unlabelled).change
    picture = np.asarray(data.unlabelled[2], np.uint8)
    distances = []
    for camera in (nominal_world(rig).camera, change):
        world = labelled_world(rig, replace(nominal_world(rig), camera=camera), data.frames[2])
        _, labels = next(draw_labelled(rig, cpu, [world], rig.camera.intrinsics()))
        table = next(b for b in labels.bodies if b.params.name == "table")
        found = match_outline(picture, labels.mask(table), labels.depth_m, 32)
        assert found is not None
        assert found.clear
        distances.append(found.distance_px)
    assert distances[0] > 6.0
    assert distances[1] < 2.5


@pytest.mark.real
@pytest.mark.parametrize(("name", "folder"), [(CUBE, CUBE), ("psm_tool", "dvrk_psm_tool")])
def test_sheet_of_real_photographs(name: str, folder: str, real_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert command("--rig", name, "--against", real_data / folder, "--out", out, "--frames", 2) == 0
    width = 5 * 480 + 6 * GAP_PX
    assert read(out).shape == (2 * LINE_PX + 2 * (3 * LINE_PX + 360 + 2 * GAP_PX) + 2 * GAP_PX, width, 3)


def test_long_text_loses_its_middle() -> None:
    words = "images/a/very/long/folder/of/photographs/0001.jpg"
    short = shortened(words, 200)
    assert text_size(short)[0] <= 200
    assert short.startswith("images/")
    assert short.endswith(".jpg")
    assert shortened("short.jpg", 200) == "short.jpg"


def hide_all(folder: Path) -> None:
    path = folder / "labels.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    lines = [",".join(rows[0]), *(",".join((row | {"visible": "none"}).values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def no_column(folder: Path) -> None:
    path = folder / "labels.csv"
    path.write_text(path.read_text().replace("x_m", "ex_m", 1))


def no_labels(folder: Path) -> None:
    (folder / "labels.csv").unlink()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [(hide_all, ["visible target", "found none"]), (no_column, ["labels.csv", "'x_m'", CUBE]),
     (no_labels, ["cannot read", "labels.csv"])],
)  # fmt: skip
def test_bad_folder_is_one_line(
    spoil: Callable[[Path], None], expected: list[str], pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pack"
    for path in pack.rglob("*"):
        if path.is_file():
            (folder / path.relative_to(pack)).parent.mkdir(parents=True, exist_ok=True)
            (folder / path.relative_to(pack)).write_bytes(path.read_bytes())
    spoil(folder)
    refused(capsys, tmp_path / "out.png", ["--rig", CUBE, "--against", folder], expected)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--rig", CUBE, "--against", "nowhere"], ["must be a folder", "nowhere"]),
        (["--rig", "nope"], ["rig must be", "nope"]),
        (["--rig", CUBE, "--frames", "0"], ["frames must be 1 to 100", "0"]),
        (["--rig", CUBE, "--size", "8", "8"], ["size", "8"]),
        (["--rig", CUBE, "--size", "32", "4000", "--frames", "100"], ["million pixels", "--frames"]),
        (["--rig", CUBE, "--camera", "aligned"], ["--camera aligned", "--against"]),
        (["--rig", CUBE, "--against", "nowhere", "--randomization", "wide"], ["--against", "--randomization"]),
        (["--rig", CUBE, "--against", "nowhere", "--size", "480", "480"], ["640x480", "480x480"]),
        (["--rig", CUBE, "--randomization", "nope"], ["randomization", "nope"]),
    ],
)
def test_bad_words_are_one_line(
    words: list[str], expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, tmp_path / "out.png", words, expected)


def test_existing_sheet_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.png"
    out.write_text("kept")
    assert command("--rig", CUBE, "--out", out) == 2
    assert "exists; add --overwrite" in capsys.readouterr().err
    assert out.read_text() == "kept"
    assert command("--rig", CUBE, "--out", out, "--frames", 1, "--overwrite") == 0
    assert read(out).ndim == 3


def refused(capsys: pytest.CaptureFixture[str], out: Path, words: list[object], expected: list[str]) -> None:
    assert command("--out", out, *words) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sim2real: ")]
    assert len(lines) == 1
    for part in expected:
        assert part in lines[0]
    assert not out.exists()
