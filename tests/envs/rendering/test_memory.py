"""How much memory drawing takes, in processes of their own."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the resident size is read from /proc")

HEAD = """
import re
from calibration.kinematics import nominal_world
from calibration.rig_file import load_rig

def status(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+) kB", file.read()).group(1))
"""
MANY_VIEWS = """
from envs.rendering.cpu_renderer import CpuRenderer
rig = load_rig("panda_tabletop")
renderer = CpuRenderer(rig)
for _ in range(3):
    renderer.render([nominal_world(rig)] * 64, rig.camera.intrinsics().resized(128, 128))
print("found", status("VmHWM"), 0)
"""
MANY_FRAMES = """
from sim2real.presets import load_preset, rig_spec
from sim2real.stream import SimulatedFrames
rig = load_rig("cube_on_table")
camera = rig.input_camera().resized(40, 30)
frames = SimulatedFrames(rig, rig_spec(rig, load_preset("everything")), 3, camera, renderer="cpu", depth=True)
for start in range(0, {count}, 32):
    frames.draw(range(start, start + 32))
    if start == {count} // 32 // 5 * 32:
        before = status("VmRSS")
print("found", before, status("VmRSS") - before)
"""


def found(printed: str) -> tuple[int, int]:
    numbers = re.search(r"found (\d+) (-?\d+)", printed)
    assert numbers
    return int(numbers.group(1)), int(numbers.group(2))


def test_64_views_of_an_arm_need_at_most_300_megabytes(run_python: Callable[..., str]) -> None:
    peak, _ = found(run_python(HEAD + MANY_VIEWS))
    assert peak < 300_000


@pytest.mark.slow
def test_memory_is_flat_over_100000_frames_with_everything_randomized(run_python: Callable[..., str]) -> None:
    before, grown = found(run_python(HEAD + MANY_FRAMES.format(count=100_000)))
    assert grown < 0.01 * before
