from pathlib import Path

import pytest

from calibration.rig_file import load_rig
from envs.standin import write_standin
from sim2real.cli import main


@pytest.fixture(scope="session")
def frames_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 16 frames of held-out simulation, as of photographs of the cube on the table."""
    out = tmp_path_factory.mktemp("standin") / "data"
    write_standin(load_rig("cube_on_table"), out, 16, 3)
    return out


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a small model of the cube, hardly trained."""
    out = tmp_path_factory.mktemp("models") / "run"
    words = ["pretrain", "--rig", "cube_on_table", "--out", str(out), "--frames", "64", "--backbone", "test_resnet"]
    assert main([*words, "--batch-size", "8", "--threads", "1", "--workers", "0"]) == 0
    return out
