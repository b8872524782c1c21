"""All methods of label-free adaptation by name, and chains of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from calibration.errors import InputError

Level = Literal["image-level", "weights", "feature-level", "self-supervised", "statistics", "self-training"]


@dataclass(frozen=True)
class Method:
    """A method: the level that it works on, and what it does in one line."""

    level: Level
    summary: str


METHODS: dict[str, Method] = {
    "simulation": Method("image-level", "more simulated frames as they are: what training on alone would bring"),
    "background": Method("image-level", "half the frames drawn over the median photograph, shadows kept"),
    "photometric": Method("image-level", "sensor channels narrowed to what fits the photographs' looks"),
    "canonical": Method("image-level", "a network learns the nominal world's looks in simulation (RCAN, James 2019)"),
    "colour": Method("image-level", "mean and spread in L*a*b* of a random photograph (Reinhard 2001)"),
    "white-balance": Method("image-level", "ratio of the channels' mean light of a random photograph"),
    "histogram": Method("image-level", "each channel's histogram of a random photograph"),
    "fourier": Method("image-level", "low frequencies of a random photograph (FDA, Yang and Soatto 2020)"),
    "classifier-weights": Method("weights", "simulated frames drawn by a domain classifier's odds"),
    "kmm": Method("weights", "simulated frames drawn by kernel mean matching (Huang 2007)"),
    "kliep": Method("weights", "simulated frames drawn by KLIEP's density ratio (Sugiyama 2008)"),
    "rulsif": Method("weights", "simulated frames drawn by RuLSIF's density ratio (Yamada 2013)"),
    "coral": Method("feature-level", "covariances of features (Sun and Saenko 2016)"),
    "mmd": Method("feature-level", "distributions of features, by Gaussian kernels (Long 2015)"),
    "jmmd": Method("feature-level", "joint distributions of features and outputs (Long 2017)"),
    "dann": Method("feature-level", "a domain discriminator, its gradient reversed (Ganin 2016)"),
    "confusion": Method("feature-level", "a domain discriminator that features leave undecided (Tzeng 2015)"),
    "cdan": Method("feature-level", "a domain discriminator of features given outputs (Long 2018)"),
    "dd": Method("feature-level", "a second head that disagrees on photographs alone (Zhang 2019)"),
    "rsd": Method("feature-level", "subspaces that batches of features span (Chen 2021)"),
    "daregram": Method("feature-level", "angle and scale of inverse Gram matrices (Nejjar 2023)"),
    "jdot": Method("feature-level", "features and labels paired by optimal transport (Damodaran 2018)"),
    "masked-patches": Method("self-supervised", "hidden patches of all pictures drawn again (SimMIM, Xie 2022)"),
    "inverse-dynamics": Method(
        "self-supervised", "what moved between two moments, by measured joints (PAD, Hansen 2021)"
    ),
    "batchnorm": Method("statistics", "batch normalization with the photographs' statistics (AdaBN, Li 2017)"),
    "coral-head": Method("statistics", "the head sees photographs' features with simulated moments (CORAL, Sun 2016)"),
    "coral-layers": Method("statistics", "covariances before every normalization as in simulation, layer by layer"),
    "subspace": Method("statistics", "scales and shifts by significant-subspace alignment (SSA, Adachi 2025)"),
    "mean-teacher": Method("self-training", "pseudo-labels that geometry allows (Tarvainen and Valpola 2017)"),
}


@dataclass(frozen=True)
class Training:
    """One training on labelled simulated frames.

    Attributes:
        image: image-level methods, in order.
        weights: how simulated frames are weighted, or None.
        feature: feature-level method, or None.
        pretext: self-supervised method, or None.
    """

    image: tuple[str, ...] = ()
    weights: str | None = None
    feature: str | None = None
    pretext: str | None = None


Step = Training | str


def chain(names: Sequence[str]) -> list[Step]:
    """Return what the named methods do, in order.

    Image-level methods, a weighting, a feature-level and a self-supervised method that follow each other share one
    training, in this order; every other method is a step of its own.

    Raises:
        InputError: no names, an unknown one, or an order that makes no sense.
    """
    if not names:
        raise InputError(f"methods must name at least one of {', '.join(METHODS)}")
    steps: list[Step] = []
    for name in names:
        if name not in METHODS:
            raise InputError(f"method must be one of {', '.join(METHODS)}, got '{name}'")
        level = METHODS[name].level
        if level in ("statistics", "self-training"):
            steps.append(name)
            continue
        last = steps[-1] if steps and isinstance(steps[-1], Training) else None
        if last is None:
            last = Training()
            steps.append(last)
        steps[-1] = _extended(last, name, level)
    return steps


def _extended(training: Training, name: str, level: Level) -> Training:
    after = [n for n in (training.weights, training.feature, training.pretext) if n is not None]
    if level == "self-supervised":
        if training.pretext is not None:
            raise InputError(f"a training takes one self-supervised method, got {training.pretext} and {name}")
        return replace(training, pretext=name)
    if level == "feature-level":
        if training.feature is not None:
            raise InputError(f"a training takes one feature-level method, got {training.feature} and {name}")
        if training.pretext is not None:
            raise InputError(
                f"a feature-level method comes before a self-supervised one, got {training.pretext} and then {name}"
            )
        return replace(training, feature=name)
    if level == "weights":
        if after:
            raise InputError(
                f"a weighting comes once and before feature-level and self-supervised methods, got {after[0]} and "
                f"then {name}"
            )
        return replace(training, weights=name)
    if after:
        raise InputError(f"image-level methods come before the others, got {after[0]} and then {name}")
    if name in training.image:
        raise InputError(f"method {name} is named twice in a row")
    return replace(training, image=(*training.image, name))
