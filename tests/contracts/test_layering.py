"""Packages import only what they may, and are the ones beside each other."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sim2real._layout import SIBLINGS, check_layout

ROOT = Path(__file__).resolve().parents[2]

BLOCKED = """
import importlib, importlib.abc, pkgutil, sys

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in {names}:
            raise ImportError("blocked: " + name)
        return None

sys.meta_path.insert(0, Block())
for name in {names}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        assert "blocked" in str(error)
    else:
        raise AssertionError(name + " is not blocked")
package = importlib.import_module(sys.argv[1])
found = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in found:
    importlib.import_module(name)
print(len(found))
"""
HEAVY = ["pybullet", "gymnasium", "torch", "torchvision", "timm", "stable_baselines3", "matplotlib"]
NOT_YET = {
    "calibration": ["envs", "policies", "sim2real"],
    "envs": ["policies", "sim2real"],
    "policies": ["sim2real"],
}


def test_calibration_needs_neither_a_simulator_nor_a_network(run_python: Callable[..., str]) -> None:
    count = run_python(BLOCKED.format(names=HEAVY + NOT_YET["calibration"]), "calibration")
    assert int(count) >= len(list((ROOT / "calibration").glob("*.py"))) - 1


def test_envs_needs_no_network_and_loads_the_simulator_when_it_is_used(
    run_python: Callable[..., str],
) -> None:
    blocked = ["pybullet", "torch", "torchvision", "timm", "stable_baselines3", *NOT_YET["envs"]]
    assert int(run_python(BLOCKED.format(names=blocked), "envs")) >= 5


CHECK = """
import sys
sys.path.insert(0, sys.argv[1])
try:
    import sim2real
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize("name", SIBLINGS)
def test_another_package_of_the_same_name_is_reported(
    name: str, tmp_path: Path, run_python: Callable[..., str]
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    assert run_python(CHECK, str(tmp_path)).strip() == (
        f"import {name} finds {tmp_path / name}, not {ROOT / name}: "
        f"another installed package is called '{name}'. Use a fresh virtual environment."
    )


def test_a_folder_without_a_package_is_reported_too(tmp_path: Path) -> None:
    with pytest.raises(
        ImportError, match=f"import calibration finds {ROOT / 'calibration'}, not {tmp_path / 'calibration'}"
    ):
        check_layout(tmp_path)


def test_the_layout_of_this_checkout_is_right() -> None:
    check_layout()
