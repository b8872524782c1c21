"""The self-supervised methods by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from policies.perception import PerceptionModel
from sim2real.adaptation.image_level.picture_map import PictureMap
from sim2real.adaptation.problem import Problem
from sim2real.adaptation.self_supervised.inverse_dynamics import InverseDynamics
from sim2real.adaptation.self_supervised.masked_patches import MaskedPatches
from sim2real.adaptation.self_supervised.moments import SimulatedMoments, real_moments
from sim2real.adaptation.self_supervised.pretext import Pretext
from sim2real.randomization import RandomizationSpec

Specs = Sequence[RandomizationSpec]
Maps = Sequence[PictureMap]


class Method(NamedTuple):
    """A method that a user can choose.

    Attributes:
        build: of the model, the problem, and what simulated frames vary and go through.
        weight: of its loss beside the loss of the task.
        moves: whether it needs what moved between the photographs.
    """

    build: Callable[[PerceptionModel, Problem, Specs, Maps], Pretext]
    weight: float
    moves: bool = False


def _masked_patches(model: PerceptionModel, problem: Problem, specs: Specs, maps: Maps) -> Pretext:
    return MaskedPatches(model, problem.seed)


def _inverse_dynamics(model: PerceptionModel, problem: Problem, specs: Specs, maps: Maps) -> Pretext:
    if problem.state is None:
        raise ValueError("inverse dynamics needs the state that joints measured at the photographs, got none")
    simulated = SimulatedMoments(problem.rig, specs, maps, problem.seed, problem.renderer)
    real = real_moments(problem.pictures, problem.state, simulated.components)
    return InverseDynamics(model, simulated, real, problem.seed)


# With 10, drawing patches pulls on the backbone an eighth to a fifth as hard as the task does, at the start of adapting
# a pretrained model.
PRETEXTS: dict[str, Method] = {
    "masked-patches": Method(_masked_patches, 10.0),
    "inverse-dynamics": Method(_inverse_dynamics, 1.0, moves=True),
}
