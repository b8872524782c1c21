"""`sim2real calibrate apply`."""

from __future__ import annotations

import os
import re
from importlib import resources
from pathlib import Path

from calibration.errors import InputError
from calibration.records import write_text
from calibration.rig_file import load_rig, parse_rig, rig_names
from sim2real.calibrate.configs import ApplyConfig

_TABLE = re.compile(r"^\s*\[", re.MULTILINE)
_RECORDS = re.compile(r"^records\s*=.*?\]\s*\n", re.MULTILINE | re.DOTALL)


def run(config: ApplyConfig) -> tuple[str, int]:
    """Write the rig file; its text stays as it is, but for one line that names the records.

    Raises:
        InputError: no such rig, a record that cannot be applied, or a file that exists.
    """
    if config.out.exists():
        raise InputError(f"--out must be a new file, got {config.out}")
    load_rig(config.rig)
    if config.rig in rig_names():
        text = (resources.files("calibration") / "rigs" / f"{config.rig}.toml").read_text(encoding="utf-8")
    else:
        text = Path(config.rig).read_text(encoding="utf-8")
    paths = [p / "record.json" if p.is_dir() else p for p in config.records]
    folder = config.out.resolve().parent
    names = ", ".join(f'"{Path(os.path.relpath(p.resolve(), folder)).as_posix()}"' for p in paths)
    text = _RECORDS.sub("", text)
    first = _TABLE.search(text)
    at = first.start() if first else len(text)
    text = f"{text[:at].rstrip()}\nrecords = [{names}]\n\n{text[at:].lstrip()}"
    rig = parse_rig(text, str(config.out), folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(config.out, text)
    measured = sum(len(m.targets) for m in rig.measured)
    return f"rig: {config.out}, {measured} values with intervals; draw them by --randomization calibrated", 0
