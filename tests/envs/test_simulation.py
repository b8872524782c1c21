from collections.abc import Callable

SCRIPT = """
from envs.simulation import import_pybullet
import_pybullet()
print("ours")
"""


def test_the_build_note_of_pybullet_does_not_reach_standard_output(run_python: Callable[..., str]) -> None:
    assert run_python(SCRIPT) == "ours\n"
