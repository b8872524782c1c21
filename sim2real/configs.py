"""One frozen dataclass per command; the docstring under a field is its help text. No torch, no simulator here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class PretrainConfig:
    """Pretrain a perception model on an endless stream of randomized simulated frames."""

    rig: str
    """name of a shipped rig, or path of a rig's TOML file"""
    out: Path
    """new folder for the run"""
    frames: int = 7000
    """simulated frames, each seen once"""
    seed: int = 0
    """seed of frames and weights"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    resume: bool = False
    """go on with an interrupted run"""
    workers: int = 1
    """processes that draw frames; the result does not depend on it"""
    backbone: str = "resnet10t"
    """timm name of the image encoder"""
    weights: str | None = None
    """safetensors state dict for the backbone, or "pretrained" for ImageNet weights if they can be fetched"""
    head: Literal["keypoints", "regression"] = "keypoints"
    """heatmap keypoints lifted by the camera, or direct regression of the label"""
    randomization: str | None = None
    """preset name or TOML file; default: the rig's own choice"""
    renderer: Literal["auto", "cpu", "gpu", "pybullet"] = "auto"
    """what draws the frames: auto is the GPU when there is one, else the CPU"""
    batch_size: int = 16
    """frames a step"""
    learning_rate: float = 3e-3
    """highest learning rate"""
    threads: int = 0
    """threads for training on the CPU; 0: half the cores. Another number may change the last bits of the weights"""
    checkpoint_every: int = 100
    """steps between states from which an interrupted run goes on"""


@dataclass(frozen=True)
class EvaluateConfig:
    """Score a model on real photographs that it never saw."""

    model: Path
    """run folder of pretrain or finetune"""
    real: Path
    """folder with photographs and labels.csv"""
    json: Path
    """file for the summary; predictions of every frame go beside it as CSV"""
    align: bool = False
    """first align the camera on the folder's photographs; no label is read for it"""
    views: int = 8
    """small views of each photograph over which keypoints are averaged; 1 is the photograph alone, and faster"""
    level: float = 0.9
    """probability with which the radius of a fine-tuned model is to hold the truth; n labelled frames allow n/(n+1)"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    overwrite: bool = False
    """replace existing result files"""


@dataclass(frozen=True)
class GapConfig:
    """Measure how well a model transfers, where the gap comes from and what to do next: one page and JSON."""

    model: Path
    """run folder of pretrain: the model before adaptation"""
    real: Path
    """folder with photographs and labels.csv"""
    out: Path
    """new folder for gap.html and gap.json"""
    others: tuple[Path, ...] = ()
    """run folders of adapt or finetune that started from it, to be scored on the same frames"""
    test_groups: tuple[str, ...] = ()
    """values of the rig's group column that are scored; default: the rig's own. The others may be fitted"""
    unlabelled: Path | None = None
    """folder with photographs that have no labels yet: the page says which to label next"""
    label_next: int = 5
    """how many of them to propose"""
    simulated: int = 96
    """simulated frames to compare with, which no training drew"""
    inception: Path | None = None
    """safetensors file of Inception v3, as of timm or torchvision: distances in its features as well"""
    limits: Path | None = None
    """TOML file of limits, as of `sim2real gate`; exit status 3 when one is broken"""
    held_out: bool = False
    """the folder is of the held-out simulation, not of photographs"""
    seed: int = 0
    """of the simulated frames and of resampling"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    resume: bool = False
    """go on with an interrupted run"""


@dataclass(frozen=True)
class CompareConfig:
    """Compare two results on the same frames or episodes, row by row, with paired intervals."""

    first: Path
    """run folder of gap, policy-gap, transfer or sweep, or summary of evaluate"""
    second: Path
    """the same; other frames or seeds, another split or another target are refused"""
    json: Path | None = None
    """new file for the comparison"""


@dataclass(frozen=True)
class GateConfig:
    """Check a result against a file of limits; exit status 3 when one is broken."""

    result: Path
    """run folder of gap, policy-gap, transfer or sweep, or summary of evaluate"""
    limits: Path
    """TOML file of [[limit]] tables: row, at_most_m, number (mean, upper, median, p90 or worst); of policies
    [[success]] tables: policy, at_least, number (mean, lower or worst)"""


@dataclass(frozen=True)
class TransferConfig:
    """Measure the whole way: error on held-out photographs against the number of labelled ones."""

    rig: str
    """name of a shipped rig, or path of a rig's TOML file"""
    real: Path
    """folder with photographs and labels.csv"""
    out: Path
    """folder for runs, results and report"""
    budgets: tuple[int, ...] = (0, 5, 10, 20)
    """numbers of labelled photographs"""
    seeds: int = 3
    """pretraining runs"""
    subsets: int = 5
    """drawings of the labelled photographs for each budget"""
    frames: int = PretrainConfig.frames
    """simulated frames of each pretraining"""
    test_groups: tuple[str, ...] = ()
    """groups to hold out instead of the rig's own"""
    scratch: bool = True
    """also train the same network from scratch on the same photographs"""
    pretrained: tuple[Path, ...] = ()
    """finished pretraining runs to use instead of new ones, one a seed"""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:N"""
    workers: int = 0
    """parallel processes for fine-tuning on the CPU; 0: one a core"""
    resume: bool = False
    """go on with an interrupted transfer"""


@dataclass(frozen=True)
class PreviewConfig:
    """Draw a sheet to look at: worlds with their labels, or the nominal world against photographs."""

    rig: str
    """name of a shipped rig, or path of a rig's TOML file"""
    out: Path
    """PNG file to write"""
    against: Path | None = None
    """folder with photographs and labels.csv: lay the nominal world, the object at its label, over each"""
    camera: Literal["published", "aligned"] = "published"
    """with --against: the rig's own camera, or aligned on the photographs; no label is read for it"""
    frames: int | None = None
    """worlds on the sheet, the first of them nominal (default 9), or photographs with --against (default 6)"""
    seed: int = 0
    """seed of the worlds"""
    randomization: str | None = None
    """preset name or TOML file; default: the rig's own choice"""
    renderer: Literal["auto", "cpu", "gpu", "pybullet"] = "auto"
    """what draws: a GPU when there is one (auto), cpu, gpu, or PyBullet's own renderer"""
    size: tuple[int, int] | None = None
    """width and height of drawn worlds (default: what the model sees) or of a photograph's tile (default: 480 wide)"""
    overwrite: bool = False
    """replace an existing file"""


@dataclass(frozen=True)
class CollectConfig:
    """Write a labelled data set of simulated frames, in the formats that others read."""

    rig: str
    """name of a shipped rig, or path of a rig's TOML file"""
    out: Path
    """new folder for the data set"""
    frames: int = 1000
    """number of frames"""
    format: Literal["folder", "coco", "bop"] = "coco"
    """pictures with labels.csv as for photographs; COCO instances and keypoints; BOP poses, masks and depth"""
    seed: int = 0
    """seed of the worlds"""
    randomization: str | None = None
    """preset name or TOML file; default: the rig's own choice"""
    size: tuple[int, int] | None = None
    """width and height of the pictures, pixels; default: what the model sees"""
    segmentation: Literal["rle", "polygons"] = "rle"
    """masks of COCO as run lengths, or as polygons where they have no hole"""
    renderer: Literal["cpu", "gpu", "pybullet"] = "cpu"
    """what draws: the rasteriser that runs everywhere, OpenGL, or PyBullet's own; each has pictures of its own"""
    resume: bool = False
    """go on with an interrupted collection"""


@dataclass(frozen=True)
class AxesConfig:
    """Draw every axis of variation at its low end, nominal and at its high end, and write the page about them."""

    rig: str
    """name of a shipped rig, or path of a rig's TOML file"""
    out: Path
    """folder for randomization.md and its pictures in axes/"""
    overwrite: bool = False
    """replace an existing page and its pictures"""


@dataclass(frozen=True)
class GetConfig:
    """Fetch a public set of real photographs by name."""

    name: str
    """name of the data set, such as cube_on_table"""
    out: Path
    """folder for it"""
    base_url: str | None = None
    """another address to fetch from, such as a mirror"""


@dataclass(frozen=True)
class ReportConfig:
    """Write the HTML report of a transfer again."""

    result: Path
    """transfer.json, or the folder that holds it"""
    images: Path | None = None
    """folder of the photographs, to draw errors on them"""
    out: Path | None = None
    """folder for the report; default: report/ beside the result"""


@dataclass(frozen=True)
class DemoConfig:
    """Run the whole way without hardware or network, on a held-out simulation, in about five minutes."""

    out: Path = Path("runs/demo")
    """new folder for the run"""
    frames: int = 2400
    """simulated frames of the pretraining"""
    seed: int = 0
    """seed of everything"""
    open: bool = False
    """open the report in a browser"""
    resume: bool = False
    """go on with an interrupted demo"""


@dataclass(frozen=True)
class InfoConfig:
    """Print versions, machine, rigs, presets and data sets."""
