"""A world that was written down gives the same pixels again."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calibration.records import read_record, write_record
from calibration.rig_file import load_rig, rig_names
from calibration.world import WorldParams
from sim2real.presets import load_preset, rig_spec
from sim2real.stream import SimulatedFrames

IN_ANOTHER_PROCESS = """
import hashlib, sys
from pathlib import Path
from calibration.records import read_record
from calibration.rig_file import load_rig
from calibration.world import WorldParams
from sim2real.presets import load_preset, rig_spec
from sim2real.stream import SimulatedFrames

name, file = sys.argv[1:]
rig = load_rig(name)
frames = SimulatedFrames(rig, rig_spec(rig, load_preset("wide")), 11)
assert frames.world(2) == read_record(Path(file), WorldParams)
frames.draw([7])
print(hashlib.sha256(frames.draw([2]).rgb.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("name", rig_names())
def test_a_recorded_world_is_drawn_bit_for_bit(name: str, tmp_path: Path) -> None:
    rig = load_rig(name)
    frames = SimulatedFrames(rig, rig_spec(rig, load_preset("wide")), 11)
    worlds = [frames.world(k) for k in range(3)]
    logged = frames.draw(range(3))
    frames.close()
    for k, world in enumerate(worlds):
        write_record(tmp_path / f"{k}.json", world, {"seed": 11, "index": k})

    again = SimulatedFrames(rig, rig_spec(rig, load_preset("wide")), 0)
    read = [read_record(tmp_path / f"{k}.json", WorldParams) for k in (2, 0, 1)]
    replayed = again.draw_worlds(read)
    again.close()
    assert read == [worlds[k] for k in (2, 0, 1)]
    for field in ("rgb", "keypoints_px", "visible", "points_m"):
        np.testing.assert_array_equal(getattr(replayed, field), getattr(logged, field)[[2, 0, 1]])


def test_another_process_draws_the_same(tmp_path: Path, run_python: Callable[..., str]) -> None:
    rig = load_rig("cube_on_table")
    frames = SimulatedFrames(rig, rig_spec(rig, load_preset("wide")), 11)
    write_record(tmp_path / "world.json", frames.world(2), {})
    ours = hashlib.sha256(frames.draw([2]).rgb.tobytes()).hexdigest()
    frames.close()
    theirs = run_python(IN_ANOTHER_PROCESS, "cube_on_table", str(tmp_path / "world.json"), seed="77")
    assert theirs.split() == [ours]
