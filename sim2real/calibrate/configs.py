"""Settings of `sim2real calibrate`; as in `sim2real.configs`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class BoardConfig:
    """Write a board as a PDF at true scale."""

    board: Path
    """TOML file that describes the board"""
    pdf: Path
    """file to write"""


@dataclass(frozen=True)
class IntrinsicsConfig:
    """Fit a camera's lens to photographs of a board."""

    board: Path
    """TOML file that describes the board"""
    real: Path
    """folder with photographs of it"""
    out: Path
    """new folder for record and page"""
    lens: str = "auto"
    """auto, or one of pinhole, pinhole+k1, pinhole+k1k2, pinhole+k1k2p1p2, pinhole+k1k2p1p2k3, rational,
    fisheye"""


@dataclass(frozen=True)
class HandEyeConfig:
    """Find where a camera is on or beside a robot, from photographs of a board and the robot's poses."""

    board: Path
    """TOML file that describes the board"""
    real: Path
    """folder with photographs and poses.csv: file,x_m,y_m,z_m,qx,qy,qz,qw of the flange in the robot's base"""
    setup: Literal["wrist", "beside"]
    """wrist: the flange carries the camera; beside: it carries the board"""
    out: Path
    """new folder for record and page"""
    intrinsics: Path | None = None
    """record of the lens; default: it is fitted as well"""
    lens: str = "auto"
    """auto, or a pinhole as of calibrate intrinsics"""
    robot_accuracy: tuple[float, float] | None = None
    """standard deviations of the robot's poses at worst, metres and radians; default: found from the data"""


@dataclass(frozen=True)
class CameraConfig:
    """Refine where a rig's camera is on labelled photographs, without a board."""

    rig: str
    """name of a shipped rig, or path of a rig's TOML file"""
    real: Path
    """folder with photographs and labels.csv"""
    out: Path
    """new folder for record and page"""
    model: Path | None = None
    """perception model that finds the keypoints; default: what differs from the empty station"""
    groups: tuple[str, ...] = ()
    """fit on these groups of frames only; default: all but the rig's held-out ones"""


@dataclass(frozen=True)
class RigidConfig:
    """Find one frame from another, by points that are known in both."""

    log: Path
    """CSV file with a row for each point"""
    into: tuple[str, str, str]
    """columns x y z in the first frame, metres"""
    points: tuple[str, str, str]
    """columns x y z of the same points in the second frame, metres"""
    out: Path
    """new folder for record and page"""


@dataclass(frozen=True)
class PhotometryConfig:
    """Measure what the camera makes of light, from unlabelled photographs of the station."""

    real: Path
    """folder with photographs"""
    out: Path
    """new folder for record and page"""
    still: bool = False
    """the photographs are a static sequence: measure shot and read noise"""


@dataclass(frozen=True)
class TimingConfig:
    """Measure period, jitter and lost frames from time stamps, or the delay between two signals."""

    log: Path
    """CSV file with a column of time stamps, seconds"""
    out: Path
    """new folder for record and page"""
    time: str = "time"
    """column of the time stamps"""
    reference: str | None = None
    """column of a signal; with --delayed, the delay between the two is measured"""
    delayed: str | None = None
    """column of the signal that comes later"""
    other: Path | None = None
    """CSV file of the delayed signal; default: the same log"""


@dataclass(frozen=True)
class DynamicsConfig:
    """Identify a planar arm or pendulum from logs of its motion and torque."""

    rig: str
    """name of a shipped pendulum, or path of its TOML file: lengths and gravity are taken from it"""
    real: Path
    """folder with CSV logs, one a run"""
    out: Path
    """new folder for record, page and the identified pendulum"""
    test_runs: tuple[str, ...] = ()
    """runs to leave out and score; default: each in turn"""
    rotor: bool = False
    """geared motors turn with joints above the first: each has an inertia, which the pendulum's file cannot hold"""


@dataclass(frozen=True)
class CheckConfig:
    """Compare new photographs with a record of the station; exit status 3 when it has changed."""

    real: Path
    """folder with new photographs"""
    record: Path
    """station.json; made from the photographs when it does not exist"""
    rig: str | None = None
    """name or file of the rig whose camera took them, to give turns in degrees"""


@dataclass(frozen=True)
class ApplyConfig:
    """Write a rig file that names records of calibration."""

    rig: str
    """name of a shipped rig, or path of a rig's TOML file"""
    records: tuple[Path, ...]
    """record.json files, or the folders that hold them; a later one wins"""
    out: Path
    """TOML file to write"""
