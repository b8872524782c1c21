import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Importing it checks that `calibration`, `envs` and `policies` are the ones beside it.
import sim2real  # noqa: F401
from calibration.rig_file import load_rig
from envs.rendering.tiny import TinyRenderer

ROOT = Path(__file__).resolve().parents[1]

SMALL_RIG = """\
format = 1
name = "small"
description = "a box; a screen waits at its side"
input_size_px = [160, 120]

[camera]
image_size_px = [320, 240]
focal_px = [300.0, 300.0]
position_m = [-2.0, 0.0, 0.5]
look_at_m = [0.0, 0.0, 0.5]

[[bodies]]
name = "target"
role = "object"
shape = "box"
size_m = [0.2, 0.2, 0.2]
position_m = [0.0, 0.0, 0.5]

[[bodies]]
name = "screen"
role = "surface"
shape = "box"
size_m = [0.02, 1.0, 1.0]
position_m = [-1.0, 9.0, 0.5]

[[keypoints]]
name = "centre"
frame = "target"

[label]
name = "box position"
frame = "room"
columns = ["x_m", "y_m", "z_m"]
components = ["x", "y", "z"]
lift = "plane"
plane_z_m = 0.5
"""


def folder_beside(variable: str, name: str, what: str) -> Path:
    """Return a folder of data that is not part of the repository, or skip the test that asks for it."""
    named = os.environ.get(variable)
    path = Path(named) if named else ROOT.parent / "shared" / name
    if path.is_dir():
        return path
    if named:
        pytest.fail(f"{variable} must name a folder, got {named}")
    pytest.skip(f"no {what}: set {variable} to their folder, or put them into ../shared/{name}")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of packs of real photographs."""
    return folder_beside("SIM2REAL_DATA", "real", "real photographs")


@pytest.fixture(scope="session")
def robots() -> Path:
    """The folder of robots that are not part of the repository."""
    return folder_beside("SIM2REAL_ROBOTS", "robots", "robot descriptions")


@pytest.fixture(scope="session")
def small_rig() -> str:
    """The TOML of a station with two boxes."""
    return SMALL_RIG


@pytest.fixture(scope="session")
def renderer() -> Iterator[Callable[[str], TinyRenderer]]:
    """A renderer of a shipped rig by name; each is made once."""
    made: dict[str, TinyRenderer] = {}

    def get(name: str) -> TinyRenderer:
        if name not in made:
            made[name] = TinyRenderer(load_rig(name))
        return made[name]

    yield get
    for one in made.values():
        one.close()


@pytest.fixture(scope="session")
def run_python() -> Callable[..., str]:
    """Runs Python text with arguments in a process of its own and returns what it prints."""

    def run(text: str, *arguments: str, path: str = str(ROOT), seed: str = "0") -> str:
        environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", text, *arguments],
            capture_output=True,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
