"""What `sim2real advise` finds, as it is written to advice.json."""

from __future__ import annotations

from dataclasses import dataclass, field

from calibration.estimate import Estimate
from sim2real.advice.distances.a_distance import ADistance
from sim2real.advice.distances.kernel_distance import KernelInceptionDistance, MmdTest


@dataclass(frozen=True)
class DomainGap:
    """How far simulated frames and photographs are apart in some features.

    Attributes:
        a_distance: proxy A-distance, with its null between halves of the simulated frames.
        kid: kernel distance of the features themselves (not Inception's), with its null.
        mmd: squared MMD with a permutation test.
    """

    a_distance: ADistance
    kid: KernelInceptionDistance
    mmd: MmdTest

    @property
    def ratio(self) -> float:
        """The KID in units of the upper end of its null, so that stages compare."""
        null = self.kid.null
        return self.kid.value / max(null.high if null else 0.0, 1e-12)

    @property
    def beyond_chance(self) -> bool:
        """Whether the sets differ by more than two halves of the simulated ones do."""
        null = self.kid.null
        return self.mmd.p_value < 0.05 and (null is None or self.kid.value > null.high)


@dataclass(frozen=True)
class StageAdvice:
    """One stage of a backbone.

    Attributes:
        stage: timm's name.
        channels: of its map.
        log_me: of places for labels in units of their spread, nats a frame; None without labelled frames.
        h_score: regularised, regression form, of the same.
        probe_error_m: cross-validated error of a ridge regression of the same.
        probe_errors_m: of each labelled frame, in the order of `Advice.frames`.
        gap: between the maps' means over simulated and real pictures.
        other_probes_m: cross-validated errors of other probes of the same, by name.
    """

    stage: str
    channels: int
    log_me: float | None
    h_score: float | None
    probe_error_m: Estimate | None
    probe_errors_m: tuple[float, ...]
    gap: DomainGap
    other_probes_m: dict[str, Estimate] = field(default_factory=dict)

    @property
    def probes_m(self) -> list[tuple[str, float]]:
        """The probes with their errors, the best one first; none without labelled frames."""
        found = {"ridge": self.probe_error_m, **self.other_probes_m}
        return sorted(((n, e.value) for n, e in found.items() if e is not None), key=lambda pair: pair[1])


@dataclass(frozen=True)
class ModelAdvice:
    """One model.

    Attributes:
        model: its folder.
        backbone: timm name.
        trained_on: as its card says.
        selection: as its card says.
        own_error_m: of its own head on the labelled frames, with the camera of its card; None without them.
        own_errors_m: of each labelled frame, in the order of `Advice.frames`.
        confidence: mean over the photographs, of the least certain keypoint.
        stages: finest first.
    """

    model: str
    backbone: str
    trained_on: str
    selection: str
    own_error_m: Estimate | None
    own_errors_m: tuple[float, ...]
    confidence: float
    stages: tuple[StageAdvice, ...]


@dataclass(frozen=True)
class PickedFrame:
    """A photograph to label.

    Attributes:
        file: its name.
        rank: 1 is the first to label.
        distance: to the nearest photograph that is labelled or of a lower rank, as a share of the largest distance
            between any two; for rank 1 with nothing labelled, to the farthest.
        nearest: that photograph.
        confidence: of the model.
        score: what it was picked for.
    """

    file: str
    rank: int
    distance: float
    nearest: str
    confidence: float
    score: float


@dataclass(frozen=True)
class Advice:
    """What was measured, what was not, and what follows.

    Attributes:
        rig: name.
        real: folder of the photographs.
        selection: "none" or "k labelled frames".
        frames: the labelled ones that were used.
        split: how the fitting side was found.
        folds: how the probes were cross-validated; None without labelled frames.
        chance_error_m: of predicting the mean label, as the probes are; None without labelled frames.
        photographs: how many were compared with simulated frames.
        simulated: how many of those.
        pictures: the gap in fixed random features, which no model has a part in.
        models: in the order given.
        picked_by: the model whose features and confidence chose the frames to label; None where none were asked for.
        picks: best first.
        not_computed: what is missing, and why.
        suggestion: one line.
    """

    rig: str
    real: str
    selection: str
    frames: tuple[str, ...]
    split: str
    folds: str | None
    chance_error_m: float | None
    photographs: int
    simulated: int
    pictures: DomainGap
    models: tuple[ModelAdvice, ...]
    picked_by: str | None
    picks: tuple[PickedFrame, ...]
    not_computed: tuple[str, ...]
    suggestion: str
