"""`sim2real calibrate`, as a stranger would run it: records, pages, rigs that use them, one line for bad input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.apply_records import apply_records
from calibration.boards.board import read_board
from calibration.boards.detect import detect
from calibration.calibration_record import CalibrationRecord, Finding, rows_of
from calibration.dynamics.model import ArmModel
from calibration.dynamics.simulate import simulate
from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.hand_eye.record import POSE_NAMES
from calibration.kinematics import nominal_world
from calibration.pendulum import load_pendulum
from calibration.records import read_record, write_record
from calibration.rig_file import load_rig
from calibration.view import CameraView
from sim2real.calibrate.command import COMMANDS
from sim2real.cli import main
from sim2real.presets import load_preset, rig_spec
from sim2real.randomization import WorldSampler

BOARD = 'kind = "chessboard"\ncolumns = 8\nrows = 5\nspacing_m = 0.03\n'


def _run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main(["calibrate", *map(str, words)])
    out = capsys.readouterr()
    return status, out.out, out.err


@pytest.fixture
def station_folder(tmp_path: Path, random_pictures: Callable[[Path], Any]) -> tuple[Path, Any]:
    """A folder with photographs of a board, poses, and the truth."""
    return tmp_path / "photos", random_pictures(tmp_path / "photos")


@pytest.fixture
def random_pictures() -> Callable[[Path], Any]:
    """Return what draws photographs of a chessboard into a folder, with poses.csv."""

    def draw(folder: Path) -> np.ndarray:
        (folder / "images").mkdir(parents=True)
        rng = np.random.default_rng(5)
        camera = np.array([[520.0, 0, 321], [0, 520.0, 238], [0, 0, 1]])
        base_from_camera = np.eye(4)
        base_from_camera[:3, :3] = Rotation.from_euler("xyz", [200, 10, 30], degrees=True).as_matrix()
        base_from_camera[:3, 3] = (0.4, 0.1, 0.9)
        flange_from_board = np.eye(4)
        flange_from_board[:3, 3] = (-0.1, -0.08, 0.05)
        side = 60
        squares = (np.indices((6 * side, 9 * side)) // side).sum(axis=0) % 2 * 255
        own = np.pad(squares.astype(np.uint8), side, constant_values=255)
        # Pixels of the board's picture to metres: the first inner corner is two squares in.
        to_board = np.array([[0.03 / side, 0, -0.06 + 0.015 / side], [0, 0.03 / side, -0.06 + 0.015 / side], [0, 0, 1]])
        rows = ["file,x_m,y_m,z_m,qx,qy,qz,qw"]
        for number in range(9):
            tilt = Rotation.from_rotvec(np.deg2rad(rng.uniform(-32, 32, 3)))
            pose = np.eye(4)
            pose[:3, :3] = tilt.as_matrix()
            centre = np.array([0.105, 0.06, 0.0])
            pose[:3, 3] = np.array([*rng.uniform(-0.06, 0.06, 2), rng.uniform(0.45, 0.6)]) - tilt.apply(centre)
            homography = camera @ pose[:3, [0, 1, 3]] @ to_board
            fine = np.array([[3.0, 0, 1], [0, 3.0, 1], [0, 0, 1]]) @ homography
            large = cv2.warpPerspective(own, fine, (1920, 1440), borderValue=(150,))
            small = cv2.resize(large, (640, 480), interpolation=cv2.INTER_AREA).astype(float)
            noisy = np.clip(20 + 0.8 * small + rng.normal(0, 2, small.shape), 0, 255).astype(np.uint8)
            name = f"images/{number:02d}.png"
            cv2.imwrite(str(folder / name), noisy)
            flange = base_from_camera @ pose @ np.linalg.inv(flange_from_board)
            quat = Rotation.from_matrix(flange[:3, :3]).as_quat()
            rows.append(",".join([name, *(f"{v:.9f}" for v in (*flange[:3, 3], *quat))]))
        (folder / "poses.csv").write_text("\n".join(rows) + "\n")
        (folder / "board.toml").write_text(BOARD)
        return base_from_camera

    return draw


def test_hand_eye_writes_a_record_and_a_page(
    station_folder: tuple[Path, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, truth = station_folder
    words = ["--board", folder / "board.toml", "--real", folder, "--setup", "beside"]
    status, out, err = _run(capsys, "hand-eye", *words, "--out", tmp_path / "run", "--lens", "pinhole+k1")
    assert (status, err) == (0, "")
    assert "hand_eye: 9 used, 0 warnings" in out
    record = read_record(tmp_path / "run" / "record.json", CalibrationRecord)
    where = [record.quality[f"camera.{axis}_m"] for axis in "xyz"]
    np.testing.assert_allclose(where, truth[:3, 3], atol=0.002)
    assert record.estimates["camera.fx_px"].low < 520.0 < record.estimates["camera.fx_px"].high
    page = (tmp_path / "run" / "page.html").read_text()
    for part in ("95 % interval", "residual x, px", "data:image/jpeg;base64", "camera.shift_z_m"):
        assert part in page
    assert "http" not in page.replace("http://www.w3.org", "")
    status, _, err = _run(capsys, "hand-eye", *words, "--out", tmp_path / "run")
    assert (status, err.count("\n")) == (2, 1)
    assert "--out must be a new folder" in err
    # The lens alone, and then with it given.
    status, out, _ = _run(capsys, "intrinsics", *words[:4], "--out", tmp_path / "lens")
    assert status == 0
    given = [*words, "--intrinsics", tmp_path / "lens", "--out", tmp_path / "given"]
    assert _run(capsys, "hand-eye", *given)[0] == 0
    # What follows from it in a rig.
    applied = ["--rig", "panda_tabletop", "--records", tmp_path / "run", "--out", tmp_path / "my.toml"]
    status, out, err = _run(capsys, "apply", *applied)
    assert (status, err) == (0, "")
    rig = load_rig(str(tmp_path / "my.toml"))
    assert rig.robot is not None
    np.testing.assert_allclose(np.subtract(rig.camera.position_m, rig.robot.position_m), truth[:3, 3], atol=0.002)
    assert rig.measured[0].targets[:3] == ("camera.shift_m[0]", "camera.shift_m[1]", "camera.shift_m[2]")
    assert rig.camera.position_std_m < 0.002


def test_bad_folders_are_one_clear_line(
    station_folder: tuple[Path, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = station_folder
    poses = (folder / "poses.csv").read_text()
    lines = poses.splitlines()
    words = [
        "hand-eye",
        "--board",
        folder / "board.toml",
        "--real",
        folder,
        "--setup",
        "beside",
        "--out",
        tmp_path / "o",
    ]

    def said(text: str | None) -> str:
        if text is None:
            (folder / "poses.csv").unlink()
        else:
            (folder / "poses.csv").write_text(text)
        status, _, err = _run(capsys, *words)
        assert (status, err.count("\n")) == (2, 1), err
        return err

    assert "needs column 'qw', found file, x_m" in said(poses.replace(",qw", ",w"))
    assert "found none" in said(lines[0] + "\n")
    assert "line 3: a quaternion has length 1" in said("\n".join([*lines[:2], "images/01.png,0,0,0,0,0,0,0.5"]))
    assert "line 3: images/00.png has a pose already" in said("\n".join([*lines[:2], lines[1]]))
    assert "needs a row for images/08.png" in said("\n".join(lines[:-1]))
    assert "No such file" in said(None)
    for number in range(3, 9):
        (folder / "images" / f"{number:02d}.png").unlink()
    assert "got 3; take 1 more" in said(poses)
    (folder / "board.toml").write_text(BOARD.replace("columns = 8", "columns = 7"))
    assert "they show chessboard of" in said(poses)
    status, _, err = _run(capsys, "nothing")
    assert status == 2
    assert "calibrate takes one of board, intrinsics, hand-eye" in err
    assert _run(capsys, "--help")[0] == 0


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = _run(capsys, name, "--help")
    assert status == 0
    assert f"usage: sim2real calibrate {name}" in out


def test_calibrated_randomization_draws_the_covariance() -> None:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(7, 7)) * np.array([2e-3] * 3 + [4e-3] * 3 + [3.0])[:, None]
    covariance = mixed @ mixed.T
    names = tuple(f"camera.{name}" for name in (*POSE_NAMES, "f_px"))
    units = ["m"] * 3 + ["rad"] * 3 + ["px"]
    values = [0.0] * 6 + [550.0]
    stds = np.sqrt(np.diag(covariance)).tolist()
    parts = zip(names, values, stds, units, strict=True)
    estimates = {n: Estimate.of_normal(v, s, 9, u, "made up") for n, v, s, u in parts}
    quality = {"camera.x_m": -1.7, "camera.y_m": 0.0, "camera.z_m": 1.0, "width_px": 640.0, "height_px": 480.0}
    quality |= {f"camera.q{axis}": v for axis, v in zip("xyzw", (-0.5, 0.5, -0.5, 0.5), strict=True)}
    record = CalibrationRecord("hand_eye", "photos", 9, estimates, names, rows_of(covariance), quality)
    rig = apply_records(load_rig("cube_on_table"), [record])
    sampler = WorldSampler(rig_spec(rig, load_preset("calibrated")), nominal_world(rig))
    drawn = [sampler.sample(k).camera for k in range(1500)]
    values = np.array([[*c.shift_m, *c.tilt_rad, c.focal_scale] for c in drawn])
    entry = rig.measured[0]
    np.testing.assert_allclose(values.std(axis=0), entry.std, rtol=0.12)
    np.testing.assert_allclose(np.corrcoef(values.T), np.array(entry.correlation), atol=0.09)
    assert entry.std[6] == pytest.approx(stds[6] / 550.0)
    # In any other preset, too, the camera varies as it was measured.
    wide = WorldSampler(rig_spec(rig, load_preset("wide")), nominal_world(rig))
    shifts = np.array([wide.sample(k).camera.shift_m for k in range(300)])
    np.testing.assert_allclose(shifts.std(axis=0), entry.std[:3], rtol=0.2)
    with pytest.raises(InputError, match="rig cube_on_table names no records; calibrate it first"):
        rig_spec(load_rig("cube_on_table"), load_preset("calibrated"))


def test_a_record_with_a_fault_is_not_applied(tmp_path: Path) -> None:
    one = Estimate.of_normal(520.0, 1.0, 9, "px", "made up")
    record = CalibrationRecord("intrinsics", "photos", 9, {"camera.f_px": one}, ("camera.f_px",), ((1.0,),))
    rig = load_rig("cube_on_table")
    wide = replace(record, quality={"width_px": 1280.0, "height_px": 960.0})
    assert apply_records(rig, [wide]).camera.intrinsics().fx_px == pytest.approx(260.0)
    with pytest.raises(InputError, match="of 1280 x 720, and the rig's have another shape"):
        apply_records(rig, [replace(record, quality={"width_px": 1280.0, "height_px": 720.0})])
    with pytest.raises(InputError, match="has a fault and is not applied: it turned too little; turn it"):
        apply_records(rig, [replace(wide, findings=(Finding("fault", "it turned too little", "turn it"),))])
    write_record(tmp_path / "r.json", wide, {})
    assert read_record(tmp_path / "r.json", CalibrationRecord) == wide


@pytest.mark.parametrize(
    ("numbers", "lens", "drawn"),
    [
        ({"k1": 0.02, "k2": -0.01, "k3": 0.003, "k4": 0.001}, "fisheye", {0, 1, 2, 3}),
        ({"k1": 0.1, "k2": 0.02, "p1": 0.001, "p2": 0.002, "k3": 0.03}, "pinhole", {0, 1, 2, 3, 4}),
        (dict.fromkeys(("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"), 0.01), "pinhole", set()),
    ],
    ids=["fisheye", "five", "rational"],
)
def test_a_record_of_any_lens_becomes_the_cameras(numbers: dict[str, float], lens: str, drawn: set[int]) -> None:
    values = {"fx_px": 520.0, "fy_px": 518.0, "cx_px": 640.0, "cy_px": 480.0, **numbers}
    names = tuple(f"camera.{name}" for name in values)
    estimates = {n: Estimate.of_normal(v, 1e-3, 9, "1", "made up") for n, v in zip(names, values.values(), strict=True)}
    rows = rows_of(1e-6 * np.eye(len(names)))
    size = {"width_px": 1280.0, "height_px": 960.0}
    record = CalibrationRecord("intrinsics", "photos", 9, estimates, names, rows, size)
    camera = apply_records(load_rig("cube_on_table"), [record]).camera
    found = camera.intrinsics()
    assert (found.model, found.fx_px) == (lens, pytest.approx(260.0))
    assert set(found.distortion) - {0.0} == set(numbers.values())
    measured = apply_records(load_rig("cube_on_table"), [record]).measured
    shifted = {t for one in measured for t in one.targets if "distortion_shift" in t}
    assert shifted == {f"camera.distortion_shift[{k}]" for k in drawn}


def test_a_printed_board_is_true_to_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b.toml").write_text(BOARD)
    status, out, _ = _run(capsys, "board", "--board", tmp_path / "b.toml", "--pdf", tmp_path / "b.pdf")
    assert status == 0
    # 9 x 6 squares of 30 mm, and the margins.
    assert "300 x 225 mm" in out
    pdf = (tmp_path / "b.pdf").read_bytes()
    box = pdf[pdf.index(b"/MediaBox") :].split(b"[")[1].split(b"]")[0].split()
    assert [float(v) / 72 * 25.4 for v in box[2:]] == pytest.approx([300.0, 225.0], abs=0.1)


@pytest.mark.parametrize("kind", ["charuco", "apriltags", "circles", "asymmetric_circles"])
def test_every_printed_board_can_be_found(kind: str, tmp_path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from sim2real.calibrate.board import _draw, _size

    dictionary = "DICT_APRILTAG_36h11" if kind == "apriltags" else "DICT_6X6_250"
    (tmp_path / "b.toml").write_text(
        f'kind = "{kind}"\ncolumns = 4\nrows = 7\nspacing_m = 0.03\nmarker_m = 0.015\ndictionary = "{dictionary}"\n'
        f"large_dot = {str(kind == 'circles').lower()}\n"
    )
    board = read_board(tmp_path / "b.toml")
    width, height = _size(board)
    figure = Figure(figsize=((width + 0.06) * 20, (height + 0.06) * 20), dpi=150)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width + 0.06)
    axes.set_ylim(0, height + 0.06)
    axes.axis("off")
    _draw(axes, board, 0.03, height + 0.03)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
    view = detect(board, [("page", picture)]).views[0]
    assert len(view.ids) == len(board.points())
    # One scale for all points: pixels a metre.
    scale = 20 * 150
    points = view.points_m[:, :2] - view.points_m[0, :2]
    np.testing.assert_allclose((view.pixels - view.pixels[0]) / scale, points, atol=5e-4)


@pytest.mark.real
def test_cameras_are_refined_on_labelled_photographs(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = _run(
        capsys, "camera", "--rig", "psm_tool", "--real", real_data / "dvrk_psm_tool", "--out", tmp_path / "p"
    )
    assert (status, err) == (0, "")
    quality = read_record(tmp_path / "p" / "record.json", CalibrationRecord).quality
    assert quality["fitted_median_px"] < 1.5
    assert quality["held_out_px"] < 0.7 * quality["held_out_before_px"]


@pytest.mark.real
@pytest.mark.slow
def test_the_cubes_camera_is_near_the_published_one(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = _run(
        capsys, "camera", "--rig", "cube_on_table", "--real", real_data / "cube_on_table", "--out", tmp_path / "c"
    )
    assert (status, err) == (0, "")
    record = read_record(tmp_path / "c" / "record.json", CalibrationRecord)
    published = CameraView.of(load_rig("cube_on_table")).world_from_camera.position_m
    found = [record.quality[f"camera.{axis}_m"] for axis in "xyz"]
    assert np.linalg.norm(np.subtract(found, published)) < 0.02
    assert record.quality["held_out_px"] < 4.0


@pytest.mark.real
def test_a_moved_camera_is_noticed(real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = sorted((real_data / "cube_on_table" / "images").iterdir())
    for name in ("before", "after", "moved"):
        (tmp_path / name).mkdir()
    for path in paths[:10]:
        shutil.copy(path, tmp_path / "before")
    for path in paths[10:14]:
        shutil.copy(path, tmp_path / "after")
        shifted = np.roll(cv2.imread(str(path)), 3, axis=1)
        cv2.imwrite(str(tmp_path / "moved" / f"{path.stem}.png"), shifted)
    record = ["--record", tmp_path / "station.json"]
    assert _run(capsys, "check", "--real", tmp_path / "before", *record)[0] == 0
    assert _run(capsys, "check", "--real", tmp_path / "after", *record)[0] == 0
    status, out, _ = _run(capsys, "check", "--real", tmp_path / "moved", *record, "--rig", "cube_on_table")
    assert status == 3
    assert "changed" in out
    assert "camera" in out


@pytest.mark.real
def test_points_in_two_frames_give_the_pose_between_them(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = ("depthcam_x_m", "depthcam_y_m", "depthcam_z_m")
    points = ("base_x_m", "base_y_m", "base_z_m")
    log = real_data / "dvrk_psm_tool" / "labels.csv"
    status, _, _ = _run(capsys, "rigid", "--log", log, "--into", *into, "--points", *points, "--out", tmp_path / "r")
    assert status == 0
    quality = json.loads((tmp_path / "r" / "record.json").read_text())["value"]["quality"]
    assert quality["mean_m"] < 0.8e-3


def test_timing_of_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    time = np.arange(0, 20, 0.01)
    signal = np.cumsum(np.convolve(rng.normal(size=len(time)), np.ones(30) / 30, "same"))
    later = np.interp(time - 0.04, time, signal)
    rows = [f"{t:.6f},{a:.6f},{b:.6f}" for t, a, b in zip(time, signal, later, strict=True)]
    (tmp_path / "log.csv").write_text("time,command,measured\n" + "\n".join(rows) + "\n")
    words = ["timing", "--log", tmp_path / "log.csv"]
    assert _run(capsys, *words, "--out", tmp_path / "a")[0] == 0
    status, _, _ = _run(capsys, *words, "--reference", "command", "--delayed", "measured", "--out", tmp_path / "b")
    assert status == 0
    record = read_record(tmp_path / "b" / "record.json", CalibrationRecord)
    assert next(iter(record.estimates.values())).value == pytest.approx(0.04, abs=0.003)
    (tmp_path / "log.csv").write_text("time\n0.0\n0.2\n0.1\n")
    status, _, err = _run(capsys, *words, "--out", tmp_path / "c")
    assert (status, err.count("\n")) == (2, 1)
    (tmp_path / "log.csv").write_text("time\n")
    assert "must have a header and rows" in _run(capsys, *words, "--out", tmp_path / "d")[2]


def test_a_pendulum_is_identified_and_written_for_the_simulator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = load_pendulum("simple_pendulum")
    model = ArmModel((rig.links[0].length_m,), rig.gravity_m_s2, friction_velocity_rad_s=0.1)
    truth = np.array([0.15, 0.32, 0.02, 0.05, 0.0])
    (tmp_path / "logs").mkdir()
    for number in range(2):
        rng = np.random.default_rng(number)
        times = np.arange(1500) * 0.004
        torques = (1.2 * np.sin(2 * np.pi * rng.uniform(0.4, 1.0) * times + rng.uniform(0, 6)))[:, None]
        positions, velocities = simulate(model, truth, np.zeros(1), np.zeros(1), torques, 0.004)
        columns = np.column_stack([times, positions, velocities, torques + rng.normal(0, 0.02, torques.shape)])
        rows = [",".join(f"{v:.6f}" for v in row) for row in columns]
        (tmp_path / "logs" / f"{number}.csv").write_text("time,position,velocity,torque\n" + "\n".join(rows) + "\n")
    words = ["dynamics", "--rig", "simple_pendulum", "--real", tmp_path / "logs"]
    status, out, err = _run(capsys, *words, "--out", tmp_path / "run")
    assert (status, err) == (0, "")
    assert "pendulum.toml" in out
    found = load_pendulum(str(tmp_path / "run" / "pendulum.toml")).links[0]
    assert found.mass_kg * found.centre_m == pytest.approx(0.32, rel=0.02)
    assert found.inertia_kg_m2 + found.mass_kg * found.centre_m**2 == pytest.approx(0.15, rel=0.03)
    text = (tmp_path / "run" / "page.html").read_text()
    assert "times better" in text
    assert "Left-out runs replayed open loop" in text
    replayed = json.loads((tmp_path / "run" / "replay.json").read_text())
    assert replayed["runs"] == ["0", "1"]
    own, file, rods = (c["points"] for c in replayed["curves"])
    for mine, theirs in zip(own, file, strict=True):
        assert mine["error"]["value"] < 0.2 * theirs["error"]["value"]
    assert len(rods) == len(own)
    status, _, _ = _run(capsys, *words, "--test-runs", "1", "--out", tmp_path / "one")
    assert status == 0
    assert json.loads((tmp_path / "one" / "replay.json").read_text())["runs"] == ["1"]
    assert "motion, below 3 Hz" in (tmp_path / "one" / "page.html").read_text()
    status, _, err = _run(capsys, *words, "--test-runs", "nine", "--out", tmp_path / "other")
    assert status == 2
    assert "must name logs of" in err


@pytest.mark.real
def test_light_is_measured_from_photographs(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = _run(
        capsys, "photometry", "--real", real_data / "dvrk_psm_tool" / "rgb", "--out", tmp_path / "light"
    )
    assert (status, err) == (0, "")
    record = read_record(tmp_path / "light" / "record.json", CalibrationRecord)
    assert any("frame01" in f.what for f in record.findings)
    rig = apply_records(load_rig("psm_tool"), [record])
    assert "sensor.blur_px" in rig.measured[0].targets
