"""The model that fine-tuning begins with: one that is given, or one that is pretrained first."""

from __future__ import annotations

from pathlib import Path

from calibration.errors import InputError
from calibration.rig_file import load_rig
from sim2real.adaptation_configs import FinetuneConfig
from sim2real.configs import PretrainConfig
from sim2real.pretrain import pretrain
from sim2real.realdata import load_real
from sim2real.runs import check_free


def starting_model(config: FinetuneConfig) -> Path:
    """Return the folder of the model; without one it is pretrained beside the run, in a folder that ends in -sim.

    Photographs are read before that, so that what is wrong with them is said at once. A pretraining that is finished is
    used as it is, and an interrupted one goes on.

    Raises:
        InputError: both a model and a rig are given, or neither; an output folder that is not free; too few
            photographs; or what `pretrain` refuses.
    """
    if config.model is not None and config.rig is None:
        return config.model
    if config.rig is None or config.model is not None:
        raise InputError(
            "finetune needs either --model, a run folder of pretrain, or --rig, a station to pretrain for; got "
            + ("neither" if config.model is None else "both")
        )
    check_free(config.out, config.resume)
    usable = len(load_real(config.real, load_rig(config.rig)).frames)
    if usable < config.frames:
        raise InputError(
            f"frames must be at most the {usable} usable photographs of {config.real}, got {config.frames}"
        )
    folder = config.out.with_name(f"{config.out.name}-sim")
    settings = PretrainConfig(
        config.rig,
        folder,
        seed=config.seed,
        device=config.device,
        resume=folder.exists(),
        randomization=config.randomization,
        renderer=config.renderer,
        threads=config.threads,
    )
    return pretrain(settings)
