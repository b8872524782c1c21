"""The whole way without hardware or network, on a held-out simulation."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from calibration.errors import InputError
from calibration.rig_file import load_rig
from envs.standin import write_standin
from sim2real.configs import DemoConfig, TransferConfig
from sim2real.transfer import transfer

RIG = "cube_on_table"
BACKBONE = "regnetx_002"
_FRAMES = 40


def demo(config: DemoConfig) -> Path:
    """Run the demo and return the path of its report.

    Raises:
        InputError: the folder exists and `resume` is off.
    """
    target = config.out / "held_out_simulation"
    if config.out.exists() and any(config.out.iterdir()) and not config.resume:
        raise InputError(f"output folder must be new, got {config.out}; add --resume, or choose another --out")
    if not (target / "labels.csv").is_file():
        if target.exists():
            raise InputError(f"{target} is incomplete; remove it and start again")
        write_standin(load_rig(RIG), target, _FRAMES, config.seed)
    out = config.out / "transfer"
    settings = TransferConfig(
        RIG,
        target,
        out,
        budgets=(0, 5, 10, 20),
        seeds=1,
        subsets=1,
        frames=config.frames,
        resume=out.exists(),
    )
    report = transfer(settings, "held-out simulation", BACKBONE)
    if config.open:
        webbrowser.open(report.resolve().as_uri())
    return report
