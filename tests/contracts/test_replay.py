"""A world that was written down gives the same pixels again."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.kinematics import nominal_world
from calibration.measured import Measured, measured
from calibration.records import read_record, write_record
from calibration.rig_file import load_rig, rig_names
from calibration.world import WorldParams, paths
from sim2real.distributions import Distribution
from sim2real.ledger import Ledger, LedgerWriter
from sim2real.presets import load_preset, preset_names, rig_spec
from sim2real.randomization import WorldSampler
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
frames = SimulatedFrames(rig, rig_spec(rig, load_preset("everything")), 11)
assert frames.world(2) == read_record(Path(file), WorldParams)
frames.draw([7])
print(hashlib.sha256(frames.draw([2]).rgb.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("name", rig_names())
def test_a_recorded_world_is_drawn_bit_for_bit(name: str, tmp_path: Path) -> None:
    rig = load_rig(name)
    frames = SimulatedFrames(rig, rig_spec(rig, load_preset("everything")), 11)
    worlds = [frames.world(k) for k in range(3)]
    logged = frames.draw(range(3))
    frames.close()
    for k, world in enumerate(worlds):
        write_record(tmp_path / f"{k}.json", world, {"seed": 11, "index": k})

    again = SimulatedFrames(rig, rig_spec(rig, load_preset("everything")), 0)
    read = [read_record(tmp_path / f"{k}.json", WorldParams) for k in (2, 0, 1)]
    replayed = again.draw_worlds(read)
    again.close()
    assert read == [worlds[k] for k in (2, 0, 1)]
    for field in ("rgb", "keypoints_px", "visible", "points_m"):
        np.testing.assert_array_equal(getattr(replayed, field), getattr(logged, field)[[2, 0, 1]])


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("name", rig_names())
def test_every_channel_comes_back_from_a_ledger(name: str, preset: str, tmp_path: Path) -> None:
    # As if its camera and sensor had been calibrated, which one preset is about.
    found = measured("made up", ("camera.shift_m[0]", "camera.focal_scale"), (0.0, 1.0), np.diag([1e-6, 1e-4]))
    noise = Measured("made up", ("sensor.noise", "sensor.white_balance[2]"), (2.0, 1.0), (0.5, 0.05))
    rig = replace(load_rig(name), measured=(found, noise))
    spec = rig_spec(rig, load_preset(preset))
    sampler = WorldSampler(spec, nominal_world(rig))
    worlds = sampler.sample_many(3, range(200))
    with LedgerWriter(tmp_path / "worlds.jsonl", rig, spec, 3) as ledger:
        for k, world in enumerate(worlds):
            ledger.write(k, world)
    ledger = Ledger(tmp_path / "worlds.jsonl")
    seen: set[str] = set()
    for k, world in ledger:
        assert repr(world) == repr(worlds[k])
        seen |= set(ledger.changes(k))
    moves = {p for p, c in sampler.channels.items() if np.ptp(_spread(c.distribution)) > 0}
    assert seen >= moves, "each channel was written down at least once"


def _spread(distribution: Distribution) -> np.ndarray:
    """Return numbers that differ where draws differ."""
    u = np.random.default_rng(0).random((200, 5))
    for width in (5, 3, 2, 1):
        try:
            drawn = distribution.quantile(u[:, :width])
        except ValueError:  # a vector of another length
            continue
        return np.unique(drawn[:, 0].astype(str), return_inverse=True)[1]
    raise AssertionError(distribution)


@pytest.mark.parametrize("name", rig_names())
def test_no_two_channels_share_draws(name: str) -> None:
    """Elements that follow continuous distributions: none repeats another, and their ranks are not correlated."""
    rig, count = load_rig(name), 400
    spec = replace(rig_spec(rig, load_preset("everything")), shared=(), correlations=())
    worlds = [paths(w) for w in WorldSampler(spec, nominal_world(rig)).sample_many(5, range(count))]
    columns: dict[str, np.ndarray] = {}
    together = {"light.direction", "light.rgb", "velocity_m_s", "angular_velocity_rad_s"}
    for path, value in worlds[0].items():
        if isinstance(value, bool | str):
            continue
        numbers = np.array([w[path] for w in worlds]).reshape(count, -1)
        # Elements of a direction or a colour of light belong together.
        whole = path.startswith("lamps.") or path.rsplit(".", 1)[1] in together or path in together
        for element in range(1 if whole else numbers.shape[1]):
            if len(np.unique(numbers[:, element])) > 0.9 * count:
                columns[f"{path}[{element}]"] = numbers[:, element]
    assert len(columns) > 100
    ranks = np.array([np.argsort(np.argsort(c)) for c in columns.values()])
    r = np.abs(np.corrcoef(ranks) - np.eye(len(ranks)))
    a, b = np.unravel_index(r.argmax(), r.shape)
    names = list(columns)
    # Of some ten thousand pairs none should be beyond 6 standard deviations.
    assert r.max() < 6 / np.sqrt(count), f"{names[a]} and {names[b]} correlate by {r.max():.2f}"


@pytest.mark.parametrize("name", rig_names())
def test_a_frame_does_not_depend_on_its_batch(name: str) -> None:
    rig = load_rig(name)
    frames = SimulatedFrames(rig, rig_spec(rig, load_preset("everything")), 11, depth=True)
    batch = frames.draw(range(6))
    for k in range(6):
        alone = frames.draw([k])
        for field in ("rgb", "keypoints_px", "visible", "points_m", "depth_m"):
            np.testing.assert_array_equal(getattr(alone, field)[0], getattr(batch, field)[k], err_msg=field)
    frames.close()


def test_another_process_draws_the_same(tmp_path: Path, run_python: Callable[..., str]) -> None:
    rig = load_rig("cube_on_table")
    frames = SimulatedFrames(rig, rig_spec(rig, load_preset("everything")), 11)
    write_record(tmp_path / "world.json", frames.world(2), {})
    ours = hashlib.sha256(frames.draw([2]).rgb.tobytes()).hexdigest()
    frames.close()
    theirs = run_python(IN_ANOTHER_PROCESS, "cube_on_table", str(tmp_path / "world.json"), seed="77")
    assert theirs.split() == [ours]
