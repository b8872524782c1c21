"""Settings of the commands about policies; as in `sim2real.configs`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class TrainConfig:
    """Train a policy in simulation with Stable-Baselines3."""

    env: str
    """id of the environment, such as sim2real/PandaReach-v0"""
    out: Path
    """new folder for the run"""
    algo: Literal["ppo", "sac", "td3", "tqc"] = "sac"
    """algorithm; tqc comes from sb3-contrib"""
    steps: int = 20000
    """steps of all environments together"""
    seed: int = 0
    """seed of weights, exploration and episodes"""
    envs: int = 1
    """environments; with one, an interrupted run goes on exactly"""
    workers: int = 0
    """processes for the environments; 0: they take turns in this process"""
    hindsight: bool = True
    """relabel goals after the fact (HER); for sac, td3 and tqc"""
    demonstrations: int = 0
    """episodes of the task's expert to learn from beside its own; for sac, td3 and tqc"""
    reward: Literal["sparse", "dense"] = "sparse"
    """0 or -1, or minus the distance to the goal"""
    observation: Literal["state", "pixels", "both"] = "state"
    """where the objects are, a camera's pictures in place of that, or both"""
    image_size: tuple[int, int] = (84, 84)
    """width and height of pictures"""
    cameras: tuple[str, ...] = ("main",)
    """whose pictures: main, and the rig's mounted ones"""
    backbone: str | None = None
    """timm name of what looks at pictures; default: Stable-Baselines3's own network"""
    backbone_weights: str | None = None
    """"pretrained" for timm's, a safetensors file, or the folder of a perception model"""
    backbone_rate: float = 0.0
    """learning rate of the backbone as a factor on the policy's; 0: frozen"""
    privileged: bool = False
    """let the critic see the true state, and the actor only what the robot has; for sac, td3 and tqc"""
    rig: str | None = None
    """station for ids without an arm: a shipped rig's name or a TOML file"""
    randomization: str | None = None
    """preset name or TOML file for the worlds of training; several joined by +; default: always the nominal world"""
    ramp: float = 0.0
    """share of the steps in which randomization grows from none to all of it; 0: all from the start"""
    evaluate_every: int = 5000
    """steps between evaluations"""
    episodes: int = 100
    """episodes of an evaluation, with seeds that training does not use"""
    stop_at: float = 1.1
    """stop when an evaluation's success rate is this high; above 1: never"""
    keep: Literal["last", "best"] = "last"
    """the policy that the run ends with, or that of the best evaluation, scored anew in other episodes"""
    save_every: int = 2000
    """steps between states from which an interrupted run goes on"""
    videos: int = 0
    """episodes of the last evaluation to write as videos"""
    device: str = "cpu"
    """cpu, cuda, cuda:N or auto; small networks are fastest on the CPU"""
    threads: int = 1
    """threads for training on the CPU"""
    resume: bool = False
    """go on with an interrupted run"""


@dataclass(frozen=True)
class DistillConfig:
    """Teach a camera policy what an expert or a trained policy does (DAgger)."""

    env: str
    """id of the environment, such as sim2real/PandaPush-v0"""
    out: Path
    """new folder for the run"""
    teacher: str = "expert"
    """the task's scripted expert, or the folder of a policy that sees the state"""
    student: Literal["pixels", "state"] = "pixels"
    """what the student sees beside the robot's own readings: a camera's pictures, or where the objects are"""
    rig: str | None = None
    """station for ids without an arm: a shipped rig's name or a TOML file"""
    randomization: str | None = None
    """preset name or TOML file for the worlds; several joined by +; default: always the nominal world"""
    image_size: tuple[int, int] = (84, 84)
    """width and height of pictures"""
    eye_episodes: int = 800
    """episodes whose steps are drawn, each in a world of its own, to train the student's eye; pixels only"""
    eye_updates: int = 3000
    """steps of training for the eye, 64 pictures in each"""
    rounds: int = 8
    """rounds of acting and learning"""
    episodes: int = 200
    """episodes of a round"""
    updates: int = 2000
    """steps of training after each round"""
    batch_size: int = 512
    """demonstrations in each step"""
    learning_rate: float = 1e-3
    """at the beginning of a round; it falls to zero by a cosine"""
    envs: int = 20
    """environments that act together; their pictures are drawn in one call"""
    evaluate: int = 200
    """episodes for the success of student and teacher at the end, with seeds that were not used before"""
    seed: int = 0
    """seed of weights, episodes, worlds and batches"""
    device: str = "auto"
    """cpu, cuda, cuda:N or auto"""
    threads: int = 2
    """threads for drawing and for training on the CPU"""
    resume: bool = False
    """go on with an interrupted run"""


@dataclass(frozen=True)
class TuneConfig:
    """Search for the settings with which a scripted expert does best in drawn worlds (cross-entropy method)."""

    env: str
    """id of an environment whose expert has settings: Push, with any arm"""
    out: Path
    """new folder for the run"""
    rig: str | None = None
    """station for ids without an arm: a shipped rig's name or a TOML file"""
    randomization: str | None = None
    """preset name or TOML file for the worlds; several joined by +; default: always the nominal world"""
    rounds: int = 8
    """rounds of drawing settings and keeping the best"""
    candidates: int = 20
    """settings that are tried in a round, all in the same episodes"""
    episodes: int = 40
    """episodes of a round, with seeds of its own"""
    envs: int = 10
    """environments that act together"""
    evaluate: int = 200
    """episodes for the success before and after at the end, with seeds that were not used before"""
    seed: int = 0
    """seed of episodes and draws"""
    resume: bool = False
    """go on with an interrupted run"""


@dataclass(frozen=True)
class RolloutConfig:
    """Let a policy act: a record of each episode, a video of them side by side, success in the held-out simulation."""

    env: str
    """id of the environment, such as sim2real/PandaPush-v0"""
    out: Path
    """new folder for the records and the video"""
    policy: str = "expert"
    """the task's scripted expert, or the folder of a run of train or distill"""
    see: Path | None = None
    """folder of a run of distill whose eye finds the objects for a policy that sees the state"""
    rig: str | None = None
    """station for ids without an arm: a shipped rig's name or a TOML file"""
    randomization: str | None = None
    """preset name or TOML file for the worlds; several joined by +; default: always the nominal world"""
    episodes: int | None = None
    """how many; default: 16, and with --held-out 75 in the source and at each station"""
    held_out: int = 0
    """pretend stations of the held-out simulation to act at too: MuJoCo, other looks, delays and noise, all hidden"""
    difficulty: Literal["mild", "medium", "hard"] = "mild"
    """how far pretend stations are from what the rig file says"""
    seed: int = 0
    """seed of the first episode; the others have the next numbers"""
    stochastic: bool = False
    """draw actions from the policy instead of taking its best ones"""
    video: bool = True
    """write grid.mp4 with the first episodes, up to 16"""
    width: int = 240
    """width of each picture in the video, pixels"""


@dataclass(frozen=True)
class PolicyGapConfig:
    """Measure what policies lose in the held-out simulation, by seeing and by moving: one page and JSON."""

    env: str
    """id of the source environment, such as sim2real/PandaPush-v0"""
    out: Path
    """new folder for policy_gap.html, policy_gap.json and the episodes"""
    policies: tuple[str, ...] = ("expert",)
    """run folders of train or distill; expert; or an expert with a fault, such as "expert:noise 0.4". The page tells
    most about the first; three or more are also ranked"""
    see: Path | None = None
    """folder of a run of distill whose eye finds the objects for policies that see the state"""
    rig: str | None = None
    """station for ids without an arm: a shipped rig's name or a TOML file"""
    stations: int = 6
    """pretend stations of the held-out simulation: MuJoCo, other looks, delays and noise, all hidden"""
    difficulty: Literal["mild", "medium", "hard"] = "mild"
    """how far pretend stations are from what the rig file says"""
    episodes: int = 75
    """in the source, and at each station"""
    randomization: str | None = None
    """preset name or TOML file for the source's worlds; several joined by +; default: always the nominal world"""
    curves: tuple[str, ...] = ("friction", "mass", "delay", "observation delay", "gain", "action noise")
    """hidden causes that are planted alone, in several sizes, for the first policy; none: no curves"""
    curve_episodes: int = 20
    """at each size of each of these causes, and with each cause of the worst station alone"""
    worst: bool = True
    """play the causes of the first policy's worst station one at a time"""
    video: bool = True
    """moving pictures of episodes there, beside their film strips"""
    seed: int = 0
    """seed of the first episode; the others have the next numbers"""
    resume: bool = False
    """go on with an interrupted run: episodes of a policy at a station that are there are kept"""


@dataclass(frozen=True)
class ExportConfig:
    """Write a model or policy as ONNX, check it against torch and measure how long it takes."""

    model: Path
    """run of pretrain, finetune, train or distill"""
    out: Path
    """new folder for model.onnx and export.json"""
    tolerance: float = 1e-3
    """largest difference from torch that is let pass, relative to the largest output"""
    threads: int = 1
    """threads of both when latency is measured"""
