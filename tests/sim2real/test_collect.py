import contextlib
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.errors import InputError
from sim2real.cli import main
from sim2real.collect import collect, draw_again
from sim2real.configs import CollectConfig
from sim2real.datasets import files

NOT_COMPARED = ("system.json", "config.json")
FORMATS = ("folder", "coco", "bop")


def content(folder: Path) -> dict[str, str]:
    """Hashes of all files that make the data set."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name not in NOT_COMPARED
    }


def config(out: Path, kind: str, frames: int = 20) -> CollectConfig:
    return CollectConfig("cube_on_table", out, frames, kind, seed=5, size=(80, 60))  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=FORMATS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    out = tmp_path_factory.mktemp(request.param) / "set"
    collect(config(out, request.param))
    return request.param, content(out)


def test_a_killed_collection_resumes_to_the_same_bytes(whole: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    kind, expected = whole
    out = tmp_path / "set"
    words = ["collect", "--rig", "cube_on_table", "--out", str(out), "--frames", "20", "--format", kind]
    words += ["--seed", "5", "--size", "80", "60"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sim2real.cli", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while files.whole_lines(out / "worlds.jsonl") < 4 and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert files.whole_lines(out / "worlds.jsonl") >= 4
    assert not (out / "finished.json").exists()
    # What a kill in the middle of writing leaves.
    with (out / "worlds.jsonl").open("a") as file:
        file.write('{"index": 9')
    with (out / "entries.jsonl").open("a") as file:
        file.write('{"image": {"id": 4')
    (out / ".labels.csv.123.part").write_text("half")
    assert main(words) == 2, "without --resume"
    assert main([*words, "--resume"]) == 0
    assert content(out) == expected


@pytest.mark.parametrize(("kind", "more"), [("folder", 2), ("coco", 2), ("bop", 28)])
def test_a_full_disk_at_any_file_loses_nothing(
    kind: str, more: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(config(tmp_path / "whole", kind, 5))
    settings = config(tmp_path / "set", kind, 5)
    rename = Path.replace
    left = [0]

    def fails_at_last(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(self, target)

    tries = 0
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails_at_last)
        while not (settings.out / "finished.json").exists():
            tries += 1
            assert tries < 50
            left[0] = more * tries
            with contextlib.suppress(OSError, InputError):
                collect(replace(settings, resume=True))
    assert tries > 3
    assert content(settings.out) == content(tmp_path / "whole")
    assert not list(settings.out.rglob("*.part"))


def test_a_finished_data_set_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = config(tmp_path / "set", "folder", 3)
    collect(settings)
    before = {p: p.stat().st_mtime_ns for p in settings.out.rglob("*")}
    with pytest.raises(InputError, match="which holds a finished run"):
        collect(settings)
    with pytest.raises(InputError, match="frames was 3"):
        collect(replace(settings, frames=4, resume=True))
    assert collect(replace(settings, resume=True)) == settings.out
    assert {p: p.stat().st_mtime_ns for p in settings.out.rglob("*")} == before
    assert not (settings.out / "entries.jsonl").exists()


def test_any_frame_is_drawn_again_bit_for_bit(tmp_path: Path) -> None:
    out = collect(replace(config(tmp_path / "set", "bop", 6), size=None))
    worlds, images = draw_again(out, [4, 1])
    assert images.rgb.shape == (2, 120, 160, 3)
    for k, number in enumerate([4, 1]):
        stored = cv2.imread(str(out / "train" / "000000" / "rgb" / f"{number:06d}.png"))
        assert stored is not None
        np.testing.assert_array_equal(stored[..., ::-1], images.rgb[k])
    assert worlds[0] != worlds[1]
    with pytest.raises(InputError, match=r"frame must be one of the 6 in .*worlds\.jsonl, got 6"):
        draw_again(out, [6])


def test_more_frames_begin_with_the_same_ones(tmp_path: Path) -> None:
    few, more = collect(config(tmp_path / "few", "coco", 3)), collect(config(tmp_path / "more", "coco", 18))
    first, second = ((p / "worlds.jsonl").read_text().splitlines() for p in (few, more))
    assert second[: len(first)] == first
    for k in range(3):
        name = f"images/{k:06d}.png"
        assert (few / name).read_bytes() == (more / name).read_bytes()
    other = collect(replace(config(tmp_path / "other", "coco", 3), seed=6))
    assert (other / "worlds.jsonl").read_text().splitlines()[1] != first[1]


def test_the_command_says_where_the_data_set_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["collect", "--rig", "cube_on_table", "--out", str(tmp_path / "set"), "--frames", "2"]
    assert main(words) == 0
    assert f"data set: {tmp_path / 'set'}" in capsys.readouterr().out
    assert json.loads((tmp_path / "set" / "finished.json").read_text()) == {"frames": 2, "format": "coco"}
    assert main(words) == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"frames": 0}, "frames must be 1 or more, got 0"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"size": (0, 60)}, "--size must be 1 to 8192 pixels each, got 0 60"),
        ({"rig": "nope"}, "rig must be"),
        ({"randomization": "nope"}, "randomization must be"),
    ],
)
def test_bad_settings_leave_nothing(changes: dict[str, object], expected: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=expected):
        collect(replace(config(tmp_path / "set", "coco"), **changes))  # type: ignore[arg-type]
    assert not (tmp_path / "set").exists()


def test_a_large_index_is_written_line_by_line(tmp_path: Path) -> None:
    lines = files.JsonLines(tmp_path / "lines.jsonl")
    for k in range(3):
        lines.append({"k": k})
    assert [v["k"] for v in lines] == [v["k"] for v in lines] == [0, 1, 2]
    files.keep_lines(tmp_path / "lines.jsonl", 2)
    assert files.whole_lines(tmp_path / "lines.jsonl") == 2

    def broken() -> list[str]:
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        files.write_lines(tmp_path / "index.json", (line for _ in range(1) for line in broken()))
    assert not (tmp_path / "index.json").exists()
