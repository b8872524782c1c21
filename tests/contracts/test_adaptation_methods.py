"""What every method of label-free adaptation must do, over all that are registered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from calibration.rig_file import load_rig
from calibration.view import CameraView
from policies.checkpoint import load_checkpoint
from policies.perception import PerceptionModel
from sim2real.adaptation.feature_level.methods import ALIGNMENTS
from sim2real.adaptation.methods import METHODS, chain
from sim2real.adaptation.problem import Problem
from sim2real.adaptation.running import run_chain
from sim2real.adaptation.self_supervised.methods import PRETEXTS
from sim2real.adaptation.training import AdaptSettings
from sim2real.adaptation.weighting import WEIGHTS
from sim2real.presets import load_preset, rig_spec
from sim2real.stream import SimulatedFrames
from sim2real.unlabelled import load_photographs, model_pictures

SETTINGS = AdaptSettings(steps=2, batch=8, translator_steps=2, teacher_steps=2, pool_frames=32, looks_frames=160)


LEVELS = ("feature-level", "weights", "self-supervised")
TRAINED = ("feature-level", "image-level", "self-supervised")


def fresh(model: Path) -> PerceptionModel:
    return load_checkpoint(model, torch.device("cpu"))[0]


@pytest.fixture(scope="module")
def problem(frames_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Problem:
    rig = load_rig("cube_on_table")
    pictures = model_pictures(rig, load_photographs(frames_folder, rig))
    spec = rig_spec(rig, load_preset("wide"))
    folder = tmp_path_factory.mktemp("adapt")
    # As if an arm that knows where it puts the cube had measured the first coordinate.
    state = np.stack([np.linspace(-1.2, -0.5, len(pictures)), np.full(len(pictures), np.nan)], axis=1)
    return Problem(rig, CameraView.of(rig), spec, pictures, 0, torch.device("cpu"), folder, "cpu", state)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_changes_the_model_soundly_and_repeats(name: str, model: Path, problem: Problem) -> None:
    start, one, two = fresh(model), fresh(model), fresh(model)
    for adapted in (one, two):
        (said,) = run_chain(adapted, chain([name]), problem, SETTINGS)
        assert not adapted.training
    state, again, before = one.state_dict(), two.state_dict(), start.state_dict()
    assert all(torch.equal(state[k], again[k]) for k in state), "the same seed gives the same weights"
    assert all(torch.isfinite(v.float()).all() for v in state.values())
    changed = any(not torch.equal(state[k], before[k]) for k in before)
    rolled_back = name == "subspace" and said["rolled_back"] is not None
    assert changed != rolled_back
    if METHODS[name].level == "weights":
        assert said["effective_frames"] >= max(said["effective_frames_found"], 0.999 * 0.25 * 32)
    rgb = SimulatedFrames(problem.rig, problem.spec, 3, renderer="cpu").draw(range(2)).rgb
    pixels = one.predict(rgb, problem.device).keypoints_px
    assert pixels is not None
    assert np.isfinite(pixels).all()


@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if m.level in TRAINED])
def test_training_keeps_the_statistics_of_batch_normalization(name: str, model: Path, problem: Problem) -> None:
    adapted, before = fresh(model), fresh(model).state_dict()
    run_chain(adapted, chain([name]), problem, SETTINGS)
    for key, value in adapted.state_dict().items():
        if "running_" in key or "num_batches" in key:
            assert torch.equal(value, before[key]), key


def test_methods_that_train_are_registered_where_they_are_written() -> None:
    of_level = {level: {n for n, m in METHODS.items() if m.level == level} for level in LEVELS}
    assert of_level["feature-level"] == set(ALIGNMENTS)
    assert of_level["weights"] == set(WEIGHTS)
    assert of_level["self-supervised"] == set(PRETEXTS)
