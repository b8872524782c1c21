"""Run folders: complete, never overwritten, resumable."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from calibration.errors import InputError
from calibration.records import read_json, to_plain, write_json, write_text

CONFIG, SYSTEM, LOG, FINISHED = "config.json", "system.json", "log.jsonl", "finished.json"
_PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "pybullet",
    "numpy",
    "opencv-python",
    "scipy",
    "gymnasium",
    "stable-baselines3",
)
# What may differ between a run and its resumption without changing its result; a folder may have been moved.
_FREE_KEYS = ("resume", "workers", "device", "out")
_SMALLEST_FREE_BYTES = 64 * 2**20


def system_info() -> dict[str, Any]:
    """Return versions and the machine, for records and reports."""
    import sim2real

    found: dict[str, Any] = {"sim2real": sim2real.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    found["machine"] = f"{platform.system()} {platform.machine()}, {_processor()}"
    found["cores"] = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found["gpu"] = _gpu()
    found["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return found


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def _gpu() -> str | None:
    import sys

    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name(0))


class RunFolder:
    """One run: config.json, system.json, log.jsonl, and finished.json at the end."""

    def __init__(self, path: Path) -> None:
        """Wrap a folder that `create` made."""
        self.path = path

    @classmethod
    def create(cls, path: Path, config: object, resume: bool) -> RunFolder:
        """Make the folder, or take up an unfinished one.

        Raises:
            InputError: the folder exists and `resume` is off, it holds another configuration or other files,
                it cannot be made, or the disk is full.
        """
        plain = to_plain(config)
        run = cls(path)
        check_free(path, resume)
        if (path / CONFIG).is_file():
            before = read_json(path / CONFIG)
            if not isinstance(before, dict):
                raise InputError(f"{path / CONFIG} must hold the settings of a run; choose another --out")
            for key in plain:
                if key not in _FREE_KEYS and before.get(key) != plain[key]:
                    raise InputError(
                        f"--resume needs the settings of the first start: {key} was {before.get(key)!r} in "
                        f"{path / CONFIG}, got {plain[key]!r}"
                    )
            return run
        try:
            path.mkdir(parents=True, exist_ok=True)
            _check_space(path)
            write_json(path / SYSTEM, system_info())
            write_json(path / CONFIG, plain)
        except OSError as error:
            raise InputError(f"cannot write output folder {path}: {error.strerror}") from None
        return run

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return (self.path / FINISHED).is_file()

    def finish(self, summary: Mapping[str, object]) -> None:
        """Mark the run as complete."""
        write_json(self.path / FINISHED, dict(summary))

    def log(self, entry: Mapping[str, object]) -> None:
        """Append a line to log.jsonl."""
        with (self.path / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(to_plain(entry)) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """Return the log's whole lines; one that was cut by an interruption is left out."""
        entries = []
        try:
            text = (self.path / LOG).read_text(encoding="utf-8")
        except OSError:
            return []
        for line in text.splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
        return entries

    def rewind_log(self, step: int) -> None:
        """Forget log lines beyond a step, which will be made again."""
        kept = [e for e in self.read_log() if e.get("step", 0) <= step]
        write_text(self.path / LOG, "".join(json.dumps(e) + "\n" for e in kept))


def recorded_randomization(run: Path) -> str | None:
    """Return the preset or file that a model's simulated frames were drawn with, None for the rig's own.

    Settings of the run say it, else those of the run that it began with.
    """
    seen: set[Path] = set()
    while run.resolve() not in seen and (run / CONFIG).is_file():
        seen.add(run.resolve())
        settings = read_json(run / CONFIG)
        if settings.get("randomization"):
            return str(settings["randomization"])
        run = Path(settings.get("model") or run)
    return None


def check_free(path: Path, resume: bool) -> None:
    """Check that nothing would be overwritten: the folder is new, or it is a run to be resumed."""
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"output folder must be new, got the file {path}; choose another --out")
    if (path / CONFIG).is_file():
        if resume:
            return
        if (path / FINISHED).is_file():
            state, hint = "a finished run", "choose another --out"
        else:
            state, hint = "an unfinished run", "add --resume, or choose another --out"
        raise InputError(f"output folder must be new, got {path}, which holds {state}; {hint}")
    # A start that was killed before it wrote the settings leaves no more than this.
    others = sorted(p.name for p in path.iterdir() if p.name != SYSTEM and p.suffix != ".part")
    if others:
        raise InputError(
            f"output folder must be new, got {path}, which holds files of no run ({others[0]}); choose another --out"
        )


def _check_space(path: Path) -> None:
    free = shutil.disk_usage(path).free
    if free < _SMALLEST_FREE_BYTES:
        raise InputError(f"output folder {path} needs at least 64 MB of free disk, found {free // 2**20} MB")
