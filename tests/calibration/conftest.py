"""Random stations with a known camera, and what a robot and a camera would measure in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.boards.board import Board
from calibration.boards.detect import BoardView
from calibration.camera import CameraIntrinsics
from calibration.hand_eye.problem import HandEyeProblem, Setup

Float = NDArray[np.float64]
BOARD = Board("chessboard", 8, 6, 0.03)


@dataclass(frozen=True, eq=False)
class Station:
    """The truth, and what was measured."""

    camera: CameraIntrinsics
    camera_from_mount: Float
    carrier_from_board: Float
    scale: float
    problem: HandEyeProblem


def pose(turn: Rotation, shift: Float) -> Float:
    """Return a matrix (4, 4)."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn.as_matrix(), shift
    return matrix


def make_station(
    seed: int,
    views: int = 9,
    setup: Setup | None = None,
    pixel_px: float = 0.3,
    position_m: float = 3e-4,
    rotation_rad: float = 5e-4,
    scale_std: float = 0.003,
) -> Station:
    """Return a station with a camera of 640 x 480 and a board that fills a good part of its picture.

    Args:
        seed: of everything.
        views: of the board.
        setup: where the camera is; default: either.
        pixel_px: standard deviation of a coordinate.
        position_m: of an axis of the robot's position.
        rotation_rad: of an axis of its turn.
        scale_std: of the size of the printed board.
    """
    rng = np.random.default_rng(seed)
    setup = setup or ("wrist" if rng.random() < 0.5 else "beside")
    focal = rng.uniform(480, 800)
    k1, k2 = rng.uniform(-0.15, 0.1), rng.uniform(-0.03, 0.06)
    camera = CameraIntrinsics(
        640,
        480,
        focal,
        focal * rng.uniform(0.99, 1.01),
        rng.uniform(305, 335),
        rng.uniform(225, 255),
        (k1, k2, 0, 0, 0),
    )
    camera_from_mount = pose(Rotation.random(random_state=seed), rng.uniform(-0.3, 0.3, 3))
    carrier_from_board = pose(Rotation.random(random_state=seed + 10**6), rng.uniform(-0.3, 0.3, 3))
    scale = float(np.exp(rng.normal(0.0, scale_std)))
    centre = BOARD.points().mean(axis=0)
    found, poses = [], []
    while len(found) < views:
        # Where the board is before the camera: tilted up to 40 degrees, at 0.35 to 0.7 m.
        tilt = Rotation.from_rotvec(np.deg2rad(rng.uniform(-40, 40, 3)))
        distance = rng.uniform(0.35, 0.7)
        aim = np.array([*rng.uniform(-0.2, 0.2, 2), 1.0]) * distance
        camera_from_board = pose(tilt, aim - tilt.apply(centre))
        middle = np.linalg.inv(camera_from_mount) @ camera_from_board @ np.linalg.inv(carrier_from_board)
        points = BOARD.points() * scale
        pixels = camera.project(points @ camera_from_board[:3, :3].T + camera_from_board[:3, 3])
        if not camera.contains(pixels).all():
            continue
        seen = pixels + rng.normal(0.0, pixel_px, pixels.shape)
        found.append(BoardView(f"{len(found):02d}.png", (640, 480), np.arange(len(points)), BOARD.points(), seen))
        off = pose(Rotation.from_rotvec(rng.normal(0.0, rotation_rad, 3)), rng.normal(0.0, position_m, 3))
        measured = off @ middle
        poses.append(np.linalg.inv(measured) if setup == "wrist" else measured)
    problem = HandEyeProblem(setup, tuple(found), np.array(poses))
    return Station(camera, camera_from_mount, carrier_from_board, scale, problem)


@pytest.fixture
def random_station() -> Callable[..., Station]:
    """Return what makes random stations."""
    return make_station
