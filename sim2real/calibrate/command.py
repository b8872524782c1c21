"""Dispatch of `sim2real calibrate`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from calibration.errors import InputError
from sim2real.calibrate import configs

# Each is in sim2real.calibrate.NAME.run, which returns a line to print and an exit status.
COMMANDS = {
    "board": (configs.BoardConfig, "write a board as a PDF at true scale"),
    "intrinsics": (configs.IntrinsicsConfig, "fit a lens to photographs of a board"),
    "hand-eye": (configs.HandEyeConfig, "find a camera on or beside a robot"),
    "camera": (configs.CameraConfig, "refine a rig's camera on labelled photographs"),
    "rigid": (configs.RigidConfig, "find one frame from another by points known in both"),
    "photometry": (configs.PhotometryConfig, "measure noise, exposure, white balance, blur"),
    "timing": (configs.TimingConfig, "measure periods, lost frames and delays"),
    "dynamics": (configs.DynamicsConfig, "identify a planar arm from logs"),
    "check": (configs.CheckConfig, "compare new photographs with a record of the station"),
    "apply": (configs.ApplyConfig, "write a rig file that names records"),
}


def usage() -> str:
    """Return what `sim2real calibrate --help` prints."""
    lines = [f"  {name:<11} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["usage: sim2real calibrate WHAT [options]   (--help after WHAT lists the options)", "", *lines])


def calibrate(words: list[str], parse: Callable[[str, type[Any], list[str]], Any]) -> tuple[str, int]:
    """Run a command of `sim2real calibrate`; return what it prints and the exit status.

    Args:
        words: after `calibrate`.
        parse: returns the settings of a command, given its name, their type and its words; None after --help.

    Raises:
        InputError: no such command, or bad input to it.
    """
    if not words or words[0] in ("-h", "--help"):
        return usage(), 0 if words else 2
    name = words[0].replace("_", "-")
    if name not in COMMANDS:
        raise InputError(f"calibrate takes one of {', '.join(COMMANDS)}, got '{words[0]}'")
    config = parse(f"calibrate {name}", COMMANDS[name][0], words[1:])
    if config is None:
        return "", 0
    module = importlib.import_module(f"sim2real.calibrate.{name.replace('-', '_')}")
    line, status = module.run(config)
    return str(line), int(status)
