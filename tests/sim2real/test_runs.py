"""A run folder is complete, never overwritten, and taken up again only with the same settings."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import sim2real
from calibration.errors import InputError
from sim2real.runs import RunFolder, recorded_randomization, system_info


@dataclass(frozen=True)
class Settings:
    out: Path
    rate: float = 0.1
    names: tuple[str, ...] = ("a", "b")
    workers: int = 2
    device: str = "auto"
    resume: bool = False


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "runs" / "first")


def start(settings: Settings) -> RunFolder:
    return RunFolder.create(settings.out, settings, settings.resume)


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def no_space(*args: object) -> None:
    raise OSError(28, "No space left on device")


def test_new_run_records_settings_and_system(settings: Settings) -> None:
    run = start(settings)
    assert names(run.path) == ["config.json", "system.json"]
    assert json.loads((run.path / "config.json").read_text()) == {
        "out": str(settings.out),
        "rate": 0.1,
        "names": ["a", "b"],
        "workers": 2,
        "device": "auto",
        "resume": False,
    }
    system = json.loads((run.path / "system.json").read_text())
    assert system["sim2real"] == sim2real.__version__
    assert system["numpy"] == __import__("numpy").__version__
    assert not run.finished


def test_system_info_is_plain_data() -> None:
    info = system_info()
    assert info["cores"] >= 1
    assert json.loads(json.dumps(info)) == info


def test_existing_run_is_not_overwritten(settings: Settings) -> None:
    run = start(settings)
    before = names(run.path)
    with pytest.raises(InputError, match=r"must be new, got .*first, which holds an unfinished run; add --resume"):
        start(settings)
    run.finish({"loss": 1.0})
    with pytest.raises(InputError, match=r"which holds a finished run; choose another --out"):
        start(settings)
    assert names(run.path) == sorted([*before, "finished.json"])


@pytest.mark.parametrize("resume", [False, True])
def test_folder_with_other_files_is_refused(resume: bool, settings: Settings) -> None:
    settings.out.mkdir(parents=True)
    (settings.out / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds files of no run \(thesis\.txt\); choose another --out"):
        start(replace(settings, resume=resume))
    assert names(settings.out) == ["thesis.txt"]


@pytest.mark.parametrize("resume", [False, True])
def test_file_is_refused(resume: bool, settings: Settings) -> None:
    settings.out.parent.mkdir()
    settings.out.write_text("a file")
    with pytest.raises(InputError, match="must be new, got the file"):
        start(replace(settings, resume=resume))
    assert settings.out.read_text() == "a file"


@pytest.mark.parametrize("resume", [False, True])
def test_empty_folder_and_aborted_start_are_new(resume: bool, settings: Settings) -> None:
    settings.out.mkdir(parents=True)
    (settings.out / "system.json").write_text("{}")
    (settings.out / ".config.json.4711.part").write_text('{"ra')
    run = start(replace(settings, resume=resume))
    assert json.loads((run.path / "config.json").read_text())["rate"] == 0.1
    assert "numpy" in json.loads((run.path / "system.json").read_text())


def test_resume_takes_up_the_same_run(settings: Settings) -> None:
    run = start(settings)
    run.log({"step": 1})
    again = start(replace(settings, resume=True, workers=0, device="cpu"))
    assert again.read_log() == [{"step": 1}]
    assert json.loads((run.path / "config.json").read_text())["workers"] == 2, "the first settings stay"


def test_resume_after_the_folder_was_moved(settings: Settings, tmp_path: Path) -> None:
    start(settings).log({"step": 1})
    moved = tmp_path / "elsewhere"
    shutil.move(settings.out, moved)
    assert start(replace(settings, out=moved, resume=True)).read_log() == [{"step": 1}]


def test_resume_of_nothing_starts(settings: Settings) -> None:
    assert start(replace(settings, resume=True)).path.is_dir()


@pytest.mark.parametrize(("key", "value", "shown"), [("rate", 0.2, "0.1.*0.2"), ("names", ("a",), "'b'.*'a'")])
def test_resume_with_another_setting_names_it(key: str, value: object, shown: str, settings: Settings) -> None:
    start(settings)
    with pytest.raises(InputError, match=rf"--resume needs the settings .*: {key} was .*{shown}") as error:
        start(replace(settings, resume=True, **{key: value}))
    assert "config.json" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("text", "message"), [("{", "JSON"), ("[1]", "the settings of a run")])
def test_resume_with_damaged_settings_names_the_file(text: str, message: str, settings: Settings) -> None:
    start(settings)
    (settings.out / "config.json").write_text(text)
    with pytest.raises(InputError, match=rf"config\.json must hold {message}"):
        start(replace(settings, resume=True))


def test_finished_comes_with_its_summary(settings: Settings) -> None:
    run = start(settings)
    run.finish({"loss": 0.5, "steps": (1, 2)})
    assert run.finished
    assert RunFolder(settings.out).finished
    assert json.loads((settings.out / "finished.json").read_text()) == {"loss": 0.5, "steps": [1, 2]}


def test_half_written_line_is_ignored_and_written_again(settings: Settings) -> None:
    run = start(settings)
    for step in (20, 40, 60):
        run.log({"step": step, "loss": 1 / step})
    whole = (run.path / "log.jsonl").read_text()
    (run.path / "log.jsonl").write_text(whole + '{"step": 80, "lo')
    assert [entry["step"] for entry in run.read_log()] == [20, 40, 60]
    run.rewind_log(40)
    run.log({"step": 60, "loss": 0.0})
    assert [(e["step"], e["loss"]) for e in run.read_log()] == [(20, 1 / 20), (40, 1 / 40), (60, 0.0)]


def test_log_of_a_run_that_logged_nothing(settings: Settings) -> None:
    run = start(settings)
    assert run.read_log() == []
    run.rewind_log(0)
    assert run.read_log() == []


def test_unwritable_folder_is_one_clear_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.out.parent.write_text("a file where a folder should be")
    with pytest.raises(InputError, match=r"cannot write output folder .*first: Not a directory"):
        start(settings)

    def denied(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(InputError, match=r"cannot write output folder .*other: Permission denied"):
        start(replace(settings, out=settings.out.parent.parent / "other"))


def test_little_disk_is_found_before_work_begins(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 3 * 2**20))
    with pytest.raises(InputError, match="at least 64 MB of free disk, found 3 MB"):
        start(settings)
    assert names(settings.out) == []


def test_full_disk_at_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(InputError, match=r"cannot write output folder .*No space left on device"):
            start(settings)
    assert names(settings.out) == []
    start(settings)


def test_full_disk_at_the_end_leaves_an_unfinished_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(settings)
    before = names(run.path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises((InputError, OSError), match="No space left on device"):
            run.finish({"loss": 0.5})
    assert not run.finished
    assert names(run.path) == before


def test_full_disk_keeps_the_old_log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(settings)
    run.log({"step": 1})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises((InputError, OSError), match="No space left on device"):
            run.rewind_log(0)
    assert run.read_log() == [{"step": 1}]


def test_a_model_has_the_randomization_of_the_run_that_it_began_with(tmp_path: Path) -> None:
    pretrained, adapted, again = (tmp_path / name for name in ("pretrained", "adapted", "again"))
    for folder, held in (
        (pretrained, {"randomization": "geometry"}),
        (adapted, {"randomization": None, "model": str(pretrained)}),
        (again, {"randomization": "wide", "model": str(adapted)}),
    ):
        assert recorded_randomization(folder) is None
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(held))
    assert [recorded_randomization(f) for f in (pretrained, adapted, again)] == ["geometry", "geometry", "wide"]
    # The first run is gone, or settings name themselves.
    (pretrained / "config.json").unlink()
    assert recorded_randomization(adapted) is None
    (adapted / "config.json").write_text(json.dumps({"model": str(adapted)}))
    assert recorded_randomization(adapted) is None
