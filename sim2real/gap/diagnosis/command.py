"""`sim2real diagnose`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.errors import InputError
from calibration.records import to_plain, write_json
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.view import CameraView
from sim2real.gap.diagnosis.configs import DiagnoseConfig
from sim2real.gap.diagnosis.looks import Looks
from sim2real.gap.diagnosis.seeing_groups import seeing_groups
from sim2real.gap.diagnosis.stepwise import Diagnosis, Finding, diagnose
from sim2real.labelled_photographs import report_data
from sim2real.progress import progress
from sim2real.realdata import load_real
from sim2real.runs import system_info

FORMAT = "sim2real.diagnosis"
_FEWEST = 4
# As much does a refit of light mend where two renderers drew one world (docs/benchmarks.md, "Diagnosis").
_RENDERERS = 0.05


def run(config: DiagnoseConfig) -> str:
    """Diagnose, write what was found if asked to, and return it as text.

    Raises:
        InputError: bad settings or data; nothing is written then.
    """
    if config.out is not None and config.out.exists():
        raise InputError(f"--out must be a new file, got {config.out}")
    if config.frames < _FEWEST or config.most < 1:
        raise InputError(f"frames must be {_FEWEST} or more and most 1 or more, got {config.frames} and {config.most}")
    rig = load_rig(config.rig)
    found, files = diagnose_folder(rig, config.real, config)
    target = "held-out simulation" if config.held_out else "real photographs"
    if config.out is not None:
        result = {"format": FORMAT, "version": 1, "rig": rig.name, "real": config.real.name, "target": target}
        result |= {"files": files, "settings": {"most": config.most, "seed": config.seed}}
        write_json(config.out, to_plain({**result, **_plain(found), "system": system_info()}))
    return as_text(rig, found, f"{len(files)} {target} of {config.real.name}")


def diagnose_folder(rig: Rig, folder: Path, config: DiagnoseConfig) -> tuple[Diagnosis, list[str]]:
    """Return what differs in a folder of labelled photographs, and the files that were used.

    Raises:
        InputError: data that cannot be read, too few of them, or labels that place nothing.
    """
    data = load_real(folder, rig)
    report_data(data)
    if len(data.frames) < _FEWEST:
        raise InputError(
            f"diagnose needs {_FEWEST} usable labelled photographs or more, got {len(data.frames)} in {folder}"
        )
    count = min(config.frames, len(data.frames))
    chosen = [data.frames[round(k)] for k in np.linspace(0, len(data.frames) - 1, count)]
    picture_of = dict(zip(data.files, data.unlabelled, strict=True))
    pictures = [picture_of[f.file] for f in chosen]
    looks = Looks(rig, CameraView.of(rig), chosen, pictures, config.renderer, config.threads)
    groups = seeing_groups(rig, looks.nominal)
    try:
        with progress("diagnose", len(groups) * config.most, "refits") as advance:
            return diagnose(groups, looks, config.seed, config.most, advance), [f.file for f in chosen]
    finally:
        looks.close()


def as_text(rig: Rig, found: Diagnosis, of: str) -> str:
    """Return what was found for people."""
    lines = [f"what differs between {of} and drawings of rig {rig.name}, judged on the half that was not fitted", ""]
    if not found.found:
        lines.append("no refit of one cause brings the drawings nearer beyond chance")
    for number, finding in enumerate(found.found, 1):
        lines.append(f"{number}. {finding.group}: {_share(finding)} of the difference that was left; {_kinds(finding)}")
        lines += [f"     {path} = {_shown(value)}" for path, value in finding.values.items()]
    if any(f.shrinks <= _RENDERERS for f in found.found):
        lines.append(f"{100 * _RENDERERS:.0f} % and less is no more than two renderers of one world differ by")
    lines += ["", "each alone: " + ", ".join(f"{f.group} {_share(f)}" for f in found.alone)]
    before, after = (", ".join(f"{k} {v:.3g}" for k, v in side.items()) for side in (found.before, found.after))
    return "\n".join([*lines, f"misfit before: {before}", f"misfit after:  {after}"])


def _share(finding: Finding) -> str:
    return f"{100 * finding.shrinks:.0f} %"


def _kinds(finding: Finding) -> str:
    return ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in finding.by_kind.items())


def _shown(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_shown(v) for v in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(found: Diagnosis) -> dict[str, Any]:
    return {"found": found.found, "alone": found.alone, "before": found.before, "after": found.after}
