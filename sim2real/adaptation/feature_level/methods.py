"""The feature-level methods by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from policies.perception import PerceptionModel
from sim2real.adaptation.feature_level.adversarial import Confusion, Dann
from sim2real.adaptation.feature_level.alignment import Alignment
from sim2real.adaptation.feature_level.conditional import ConditionalDann
from sim2real.adaptation.feature_level.coral import Coral
from sim2real.adaptation.feature_level.daregram import DareGram
from sim2real.adaptation.feature_level.discrepancy import Discrepancy
from sim2real.adaptation.feature_level.joint_mmd import JointMmd
from sim2real.adaptation.feature_level.mmd import Mmd
from sim2real.adaptation.feature_level.rsd import Rsd
from sim2real.adaptation.feature_level.transport import JointTransport


class Method(NamedTuple):
    """A method that a user can choose.

    Attributes:
        build: of the model, the number of channels D of the stage whose features it compares, and a seed.
        description: one line.
        weight: of its loss beside the loss of the task.
    """

    build: Callable[[PerceptionModel, int, int], Alignment]
    description: str
    weight: float


def output_size(model: PerceptionModel) -> int:
    """Return L, the size of `Seen.output`."""
    return 2 * model.spec.keypoints if model.spec.head == "keypoints" else 3


# With these weights a method pulls on the backbone about a third as hard as the task does, at the start of adapting a
# pretrained model from simulated frames to photographs. An adversary's pull depends on how far it has come.
ALIGNMENTS: dict[str, Method] = {
    "coral": Method(lambda model, size, seed: Coral(), "covariances of features", 100.0),
    "mmd": Method(lambda model, size, seed: Mmd(), "distributions of features, by Gaussian kernels", 0.5),
    "jmmd": Method(lambda model, size, seed: JointMmd(), "joint distributions of features and outputs", 1.0),
    "dann": Method(lambda model, size, seed: Dann(size, seed), "a domain discriminator, its gradient reversed", 0.1),
    "confusion": Method(
        lambda model, size, seed: Confusion(size, seed), "a domain discriminator, features learn uniform labels", 0.05
    ),
    "cdan": Method(
        lambda model, size, seed: ConditionalDann(size, output_size(model), seed),
        "a domain discriminator of features given outputs",
        0.1,
    ),
    "dd": Method(
        lambda model, size, seed: Discrepancy(model, seed), "a second head that disagrees on the target alone", 0.1
    ),
    "rsd": Method(lambda model, size, seed: Rsd(), "subspaces that batches of features span", 0.03),
    "daregram": Method(
        lambda model, size, seed: DareGram(), "angle and scale of inverse Gram matrices of features", 0.3
    ),
    "jdot": Method(lambda model, size, seed: JointTransport(), "features and labels paired by optimal transport", 0.1),
}
