"""Settings of the commands that bring a model to photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class FinetuneConfig:
    """Fine-tune a pretrained model on a few labelled photographs."""

    real: Path
    """folder with photographs and labels.csv"""
    frames: int
    """labelled photographs to use, drawn by seed from the fitting side of the rig's split"""
    out: Path
    """new folder for the run"""
    model: Path | None = None
    """run folder of pretrain, or of adapt"""
    rig: str | None = None
    """in place of a model: a shipped rig's name or a TOML file, for which one is pretrained first, in OUT-sim"""
    test_groups: tuple[str, ...] = ()
    """values of the rig's group column that are held out; default: the rig's own"""
    strategy: str = "lp-ft"
    """what learns when: head, lp-ft, full, gradual, surgical, last-block, batch-norm, layer-decay, l2-sp, ewc, lora; or
    scratch: the same network from random weights on the photographs alone, to compare with"""
    rate: float | None = None
    """learning rate of the last phase, others in proportion; default: the strategy's own"""
    find_rate: bool = False
    """find that rate by raising it until the loss explodes"""
    early_stopping: Literal["off", "leave-out", "k-fold"] = "off"
    """keep the weights with the lowest loss on labelled photographs held back: a fifth, or three parts in turn"""
    wise: float | None = None
    """share of the fine-tuned weights in the result, 0 to 1; the rest are those before; default: all"""
    replay_share: float = 0.5
    """share of simulated frames in each batch, 0 to less than 1"""
    heads: tuple[Literal["mask", "depth", "pose"], ...] = ()
    """auxiliary heads: simulated frames teach them, and the backbone through them; they are not saved"""
    head_weight: float = 0.3
    """of each of their losses"""
    never_worse: bool = True
    """keep the model as it was where fine-tuning makes it worse, by cross-fitting; takes four times as long"""
    accept_doubts: bool = False
    """go on although labelled photographs look wrong"""
    seed: int = 0
    """which frames, and the order of training"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    resume: bool = False
    """repeat an interrupted run"""
    randomization: str | None = None
    """preset for the simulated frames that are mixed in; default: that of the model"""
    renderer: Literal["auto", "cpu", "gpu", "pybullet"] = "auto"
    """what draws those frames: auto is the GPU when there is one, else the CPU"""
    threads: int = 0
    """threads for training on the CPU; 0: half the cores"""


@dataclass(frozen=True)
class AdaptConfig:
    """Adapt a pretrained model to unlabelled photographs; no label is read."""

    model: Path
    """run folder of pretrain, or of adapt"""
    real: Path
    """folder with photographs; of labels.csv only the columns of image, group and visibility are read (of joints too by
    inverse-dynamics)"""
    out: Path
    """new folder for the run"""
    methods: tuple[str, ...] = ("histogram",)
    """what to do, in order; a wrong name lists all"""
    photographs: Literal["fitting-side", "all"] = "fitting-side"
    """which ones it may see: those on the fitting side of the rig's split, so that the others can be scored, or all"""
    align: bool = True
    """also align the camera on the photographs, where the rig names a body for it"""
    steps: int = 60
    """of each training"""
    weight: float | None = None
    """of a feature-level method's loss; default: the method's own"""
    pretext_weight: float | None = None
    """of a self-supervised method's loss; default: the method's own"""
    stage: int = -1
    """whose features are aligned: 0 is the finest feature map, -1 the coarsest"""
    seed: int = 0
    """of simulated frames and training"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    resume: bool = False
    """repeat an interrupted run"""
    randomization: str | None = None
    """preset for the simulated frames; default: that of the model"""
    renderer: Literal["auto", "cpu", "gpu", "pybullet"] = "auto"
    """what draws those frames: auto is the GPU when there is one, else the CPU"""
    threads: int = 0
    """threads for training on the CPU; 0: half the cores"""


@dataclass(frozen=True)
class ContinualConfig:
    """Fine-tune one model on several stations in a row, and measure what it forgets of the earlier ones."""

    model: Path
    """run folder of pretrain"""
    real: tuple[Path, ...]
    """two or more folders with photographs and labels.csv, one a station, camera or recording, in this order"""
    out: Path
    """new folder for the run"""
    frames: int = 10
    """labelled photographs of each folder, drawn by seed from the fitting side of the rig's split"""
    memory: int = 0
    """labelled photographs of each earlier station that are kept and mixed in; 0: none"""
    strategy: str = FinetuneConfig.strategy
    """what learns when, as of `sim2real finetune`; l2-sp and ewc hold the weights to those of the stage before"""
    rate: float | None = None
    """learning rate of the last phase, others in proportion; default: the strategy's own"""
    replay_share: float = 0.5
    """share of simulated frames in each batch, 0 to less than 1"""
    accept_doubts: bool = False
    """go on although labelled photographs look wrong"""
    seed: int = 0
    """which frames, and the order of training"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    resume: bool = False
    """go on with an interrupted run; stages that are done are kept"""
    randomization: str | None = None
    """preset for the simulated frames that are mixed in; default: that of the model"""
    renderer: Literal["auto", "cpu", "gpu", "pybullet"] = "auto"
    """what draws those frames: auto is the GPU when there is one, else the CPU"""
    threads: int = 0
    """threads for training on the CPU; 0: half the cores"""


@dataclass(frozen=True)
class DescribeConfig:
    """Show a model part by part, and what a strategy of fine-tuning would change in it."""

    model: Path
    """run folder of pretrain or finetune"""
    strategy: str = FinetuneConfig.strategy
    """what learns when: head, lp-ft, full, gradual, surgical, last-block, batch-norm, layer-decay, l2-sp, ewc, lora"""


@dataclass(frozen=True)
class SweepConfig:
    """Compare methods of adaptation and fine-tuning on photographs that none of them saw."""

    models: tuple[Path, ...]
    """run folders of pretrain, one a seed"""
    real: Path
    """folder with photographs and labels.csv"""
    out: Path
    """new folder for the comparison"""
    chains: tuple[str, ...] = ("none", "batchnorm", "histogram", "background")
    """chains of methods of `sim2real adapt`, joined by +; "none" leaves the model as it is"""
    budgets: tuple[int, ...] = (0, 10)
    """numbers of labelled photographs; 0 is label-free. The largest of the fitting side is the oracle's: give -1"""
    strategies: tuple[str, ...] = ("lp-ft",)
    """strategies of `sim2real finetune`, and "camera" (refitted, weights frozen) and "scratch" (no simulation)"""
    test_groups: tuple[str, ...] = ()
    """values of the rig's group column that are held out; default: the rig's own"""
    first: int | None = None
    """use only the first so many usable photographs, for choosing settings without the others"""
    steps: int = 60
    """of each training of a chain"""
    against: Path | None = None
    """folder of another comparison, such as on photographs: say how well this one's order of methods tells its order"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    workers: int = 0
    """jobs at a time; 0: as many as cores, or one on a GPU. Results do not depend on it"""
    resume: bool = False
    """go on with an interrupted comparison, or add rows to one"""
