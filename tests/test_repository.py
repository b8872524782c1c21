import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("calibration", "envs", "policies", "sim2real")
TOP_LEVEL = {
    *PACKAGES,
    "tests",
    "scripts",
    "docs",
    "pyproject.toml",
    "constraints.txt",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
}
MODULE_LINES = 300
SCRIPT_LINES = 15
# A path below a home folder or a work folder at the root of a disk. `~/x`, `../work/x`, a web address and
# `/home/<you>` are not such paths.
MACHINE_PATH = re.compile(r"(?<![\w.~>-])/(?:work/|home/[a-z])")

MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def tracked_files() -> list[str]:
    """Paths of the files git tracks, from the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"git ls-files failed: {error.stderr.strip()}")
    names = [name for name in listing.stdout.split("\0") if name]
    if not names:
        pytest.skip("git tracks no file yet")
    return names


def test_top_level_is_fixed(tracked_files: list[str]) -> None:
    found = {name.split("/")[0] for name in tracked_files}
    unexpected = sorted(name for name in found - TOP_LEVEL if not name.startswith("."))
    assert not unexpected, f"not allowed at the top level: {unexpected}; allowed: {sorted(TOP_LEVEL)}"


def test_no_path_of_a_developer_machine(tracked_files: list[str]) -> None:
    found = []
    for name in tracked_files:
        path = ROOT / name
        if not path.is_file():  # deleted, and the deletion not yet staged
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:  # not text
            continue
        found += [
            f"{name}:{number}: {line.strip()}" for number, line in enumerate(lines, 1) if MACHINE_PATH.search(line)
        ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "is_machine_path"),
    [
        ("/home/" + "ana/sim2real", True),
        ("open('/" + "work/main')", True),
        ("file:///" + "work/main", True),
        ("/home/<you>/sim2real", False),
        ("~/work/sim2real", False),
        ("../work/sim2real", False),
        ("https://example.org/work/1", False),
        ("the work/home folder", False),
    ],
)
def test_machine_path_pattern(text: str, is_machine_path: bool) -> None:
    assert bool(MACHINE_PATH.search(text)) == is_machine_path


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_module_is_short(path: Path) -> None:
    count = len(path.read_text(encoding="utf-8").splitlines())
    assert count <= MODULE_LINES, f"{relative(path)} has {count} lines, at most {MODULE_LINES} are allowed: split it"


def test_every_folder_with_modules_is_a_package() -> None:
    missing = {relative(path.parent) for path in MODULES if not (path.parent / "__init__.py").exists()}
    assert not missing, f"without __init__.py, so a wheel would leave them out: {sorted(missing)}"


def test_every_package_is_typed() -> None:
    missing = [name for name in PACKAGES if not (ROOT / name / "py.typed").exists()]
    assert not missing, f"without py.typed: {missing}"


def test_no_package_under_tests() -> None:
    found = [relative(path) for path in (ROOT / "tests").rglob("__init__.py")]
    assert not found, f"tests/envs/__init__.py, say, would hide the package envs; remove {found}"


def test_there_are_scripts() -> None:
    assert SCRIPTS


@pytest.mark.parametrize("path", SCRIPTS, ids=relative)
def test_script_is_thin(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= SCRIPT_LINES
    assert ast.get_docstring(tree), "a script opens with a docstring"
    imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert imports == ["import sys", "from sim2real.cli import main"]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "main"]
    assert len(calls) == 1, "a script calls main once"


@pytest.mark.parametrize("path", SCRIPTS, ids=relative)
def test_script_hides_no_module(path: Path) -> None:
    # Python puts the folder of a script first on the path, so its neighbours can be imported by their names.
    assert path.stem not in {*PACKAGES, *sys.stdlib_module_names}


@pytest.mark.parametrize("name", ["demo", "test"])
def test_shell_script_can_be_run(name: str) -> None:
    path = ROOT / "scripts" / name
    assert path.stat().st_mode & 0o111, f"scripts/{name} is not executable: chmod +x scripts/{name}"
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")


def test_every_requirement_is_pinned() -> None:
    def key(requirement: str) -> str:
        name = re.match(r"[\w.-]+", requirement)
        assert name, requirement
        return re.sub(r"[-_.]+", "-", name.group()).lower()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {key(line) for line in [*project["dependencies"], *project["optional-dependencies"]["dev"]]}
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {key(line) for line in pins if not line.startswith("#")}
    assert not wanted - pinned, f"without a pin in constraints.txt: {sorted(wanted - pinned)}"
