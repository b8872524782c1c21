"""Versions, machine, and what there is to choose from."""

from __future__ import annotations

from calibration.rig_file import load_rig, rig_names
from sim2real.presets import preset_names
from sim2real.runs import system_info


def info_lines() -> list[str]:
    """Return lines for people: versions and machine first, then rigs, presets and data sets."""
    from sim2real.registry import dataset_names

    lines = [f"{key}: {value}" for key, value in system_info().items() if key != "created"]
    lines.append("rigs:")
    lines += [f"  {name}: {load_rig(name).description}" for name in rig_names()]
    lines.append(f"randomization presets: {', '.join(preset_names())}")
    lines.append(f"data sets: {', '.join(dataset_names())}")
    return lines
