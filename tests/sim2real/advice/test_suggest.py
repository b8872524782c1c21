"""Each line is said in its case, with its numbers."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from sim2real.advice.distances.a_distance import ADistance
from sim2real.advice.distances.kernel_distance import KernelInceptionDistance, MmdTest
from sim2real.advice.distances.null import Null
from sim2real.advice.record import DomainGap, ModelAdvice, StageAdvice
from sim2real.advice.suggest import best_model, metres, suggestion
from sim2real.statistics import mean_estimate


def gap(kid: float, p_value: float = 0.002) -> DomainGap:
    null = Null(0.0, -0.1, 0.1, 20)
    return DomainGap(
        ADistance(1.0, 0.25, null), KernelInceptionDistance(kid, 9, 1, null), MmdTest(kid, p_value, 1.0, 99)
    )


def stage(name: str, errors: Sequence[float] = (), kid: float = 1.0, p_value: float = 0.002) -> StageAdvice:
    labelled = (0.1, 0.5, mean_estimate(errors, "m")) if errors else (None, None, None)
    return StageAdvice(name, 8, *labelled, tuple(errors), gap(kid, p_value))


def model(name: str, own: Sequence[float], stages: Sequence[StageAdvice], confidence: float = 0.5) -> ModelAdvice:
    error = mean_estimate(own, "m") if own else None
    return ModelAdvice(f"runs/{name}", "net", "", "none", error, tuple(own), confidence, tuple(stages))


SMALL, LARGE, HUGE = [0.02, 0.018, 0.019, 0.019], [0.034, 0.033, 0.035, 0.034], [0.4, 0.5, 0.45, 0.41]


def test_a_stage_whose_probe_beats_the_head_and_the_last_stage() -> None:
    found = suggestion(
        [model("a", HUGE, [stage("layer1", HUGE), stage("layer2", SMALL), stage("layer3", LARGE)])], gap(1.0)
    )
    assert found == (
        "fine-tune from stage layer2 up with a new head: probe error 1.9 cm there against 3.4 cm at the last stage, "
        "44 cm by the model's own head"
    )
    near = [0.03, 0.01, 0.025, 0.018]
    doubtful = suggestion([model("a", HUGE, [stage("layer2", SMALL), stage("layer3", near)])], gap(1.0))
    assert "(their difference may be chance)" in doubtful


def test_the_last_stage_is_best() -> None:
    found = suggestion([model("a", HUGE, [stage("layer1", LARGE), stage("layer2", SMALL)])], gap(1.0))
    assert found.startswith("train a new head on frozen features first, then fine-tune: probe error 1.9 cm at the last")


def test_the_models_own_head_is_best() -> None:
    found = suggestion([model("a", SMALL, [stage("layer1", HUGE), stage("layer2", LARGE)])], gap(1.0))
    assert found == (
        "keep the head and fine-tune everything: its own error is 1.9 cm on the labelled frames, below the best "
        "probe's 3.4 cm at layer2"
    )


def test_of_several_models_the_one_with_the_lowest_error_is_named() -> None:
    models = [model("a", LARGE, [stage("layer1", HUGE)]), model("b", SMALL, [stage("layer1", HUGE)])]
    assert best_model(models).model == "runs/b"
    found = suggestion(models, gap(1.0))
    assert found.startswith("start from b (lowest error 1.9 cm against 3.4 cm of a); keep the head")
    near = model("c", [0.03, 0.01, 0.025, 0.018], [stage("layer1", HUGE)])
    assert "of c; the difference may be chance)" in suggestion([models[1], near], gap(1.0))


def test_a_model_without_errors_is_not_compared_by_them() -> None:
    fitted = model("fitted", [], [stage("layer1")], confidence=0.9)
    other = model("b", SMALL, [stage("layer1", HUGE)])
    assert best_model([fitted, other]).model == "runs/b"
    assert suggestion([fitted, other], gap(1.0)).startswith("keep the head")


def test_without_labels_the_distances_speak() -> None:
    early = model("a", [], [stage("layer1", kid=3.0), stage("layer2", kid=0.5)])
    assert suggestion([early], gap(1.0)) == (
        "colours and textures differ most, KID is 30.0 times its null at layer1 against 5.0 times at layer2: try "
        "`adapt --methods colour batchnorm` on a first"
    )
    late = model("a", [], [stage("layer1", kid=0.5), stage("layer2", kid=3.0)])
    assert "deeper features differ most, KID is 30.0 times its null at layer2" in suggestion([late], gap(1.0))
    both = suggestion([early, model("b", [], [stage("layer1")], confidence=0.7)], gap(1.0))
    assert both.startswith("start from b (confidence 0.70, the highest of 2); ")


def test_domains_that_are_not_told_apart_need_no_alignment() -> None:
    same = model("a", [], [stage("layer1", kid=0.05, p_value=0.4), stage("layer2", kid=0.2, p_value=0.3)])
    assert suggestion([same], gap(0.05, 0.5)) == (
        "label frames and fine-tune a: no stage tells simulated frames from photographs beyond chance (smallest p 0.3)"
    )
    # What the model does not see any more, the pictures still show.
    assert "colours and textures" in suggestion([same], gap(1.0))


@pytest.mark.parametrize(("value", "text"), [(0.00123, "1.23 mm"), (0.0193, "1.93 cm"), (1.5, "1.5 m")])
def test_lengths_are_written_in_a_unit_of_their_size(value: float, text: str) -> None:
    assert metres(value) == text


def test_probes_are_ranked_with_their_errors() -> None:
    others = {"nearest": mean_estimate(SMALL, "m"), "least squares": mean_estimate(HUGE, "m")}
    ranked = replace(stage("layer1", LARGE), other_probes_m=others)
    assert [name for name, _ in ranked.probes_m] == ["nearest", "ridge", "least squares"]
    assert stage("layer1").probes_m == []
