"""Fine-tuning as its settings say: what held-out frames may and may not do."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from calibration.errors import InputError
from calibration.rig_file import load_rig
from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning import tuning
from sim2real.adaptation.fine_tuning.strategies import FinetuneSettings
from sim2real.adaptation.fine_tuning.tuning import Tuned, check_settings, tune
from sim2real.stream import Batch

CPU = torch.device("cpu")
QUICK = FinetuneSettings(probe_steps=2, steps=3)
RIG = load_rig("cube_on_table")


@pytest.fixture
def frames(make_batch: Any) -> Any:
    def make(count: int, seed: int) -> Batch:
        pictures, pixels, weight, points = make_batch(count, seed)
        rgb = np.ascontiguousarray(pictures.permute(0, 2, 3, 1).numpy())
        return Batch(rgb, pixels.double().numpy(), weight.double().numpy(), points.double().numpy())

    return make


def same(one: PerceptionModel, other: PerceptionModel) -> bool:
    wanted = other.state_dict()
    return all(torch.equal(value, wanted[n]) for n, value in one.state_dict().items())


def run(model: PerceptionModel, real: Batch, replay: Batch | None, settings: FinetuneSettings, seed: int = 0) -> Tuned:
    return tune(model, RIG, real, replay, seed, CPU, settings)


def test_the_same_seed_gives_the_same_weights(make_model: Any, frames: Any) -> None:
    real, replay = frames(4, 0), frames(4, 1)
    models = [make_model() for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        assert run(model, real, replay, QUICK, seed).steps == 5
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


def test_a_frame_that_is_held_out_is_never_trained_on(make_model: Any, frames: Any) -> None:
    real, replay = frames(10, 0), frames(4, 1)
    settings = replace(QUICK, early_stopping="leave-out")
    model = make_model()
    done = run(model, real, replay, settings)
    assert len(done.held_out) == 2
    # Spoil the pictures that are held out: losses differ, but the weights of any step do not.
    spoiled = replace(real, rgb=real.rgb.copy())
    spoiled.rgb[list(done.held_out)] = 128
    other = make_model()
    seen = run(other, spoiled, replay, settings)
    assert seen.held_out == done.held_out
    assert [step for step, _ in seen.losses] == [step for step, _ in done.losses]
    assert seen.losses != done.losses
    plain = make_model()
    fit = np.setdiff1d(np.arange(10), done.held_out)
    run(plain, real.take(fit), replay, QUICK)
    assert same(model, plain) == (done.steps == 5)


def test_the_weights_with_the_lowest_held_out_loss_are_kept(make_model: Any, frames: Any) -> None:
    real = frames(10, 0)
    # A rate that ruins the model: then the weights before the first step are best.
    settings = replace(QUICK, early_stopping="leave-out", last_rate=0.1, strategy="full")
    model, start = make_model(), make_model()
    done = run(model, real, None, settings)
    losses = dict(done.losses)
    assert losses[done.steps] == min(losses.values())
    held = tuning.batch_tensors(real.take(np.array(done.held_out)), CPU)
    with torch.no_grad():
        assert float(model.loss(*held)) == pytest.approx(losses[done.steps], rel=1e-5)
    assert done.steps == 0
    assert same(model, start)


def test_k_fold_trains_on_all_frames_for_the_best_number_of_steps(make_model: Any, frames: Any) -> None:
    real, replay = frames(6, 0), frames(4, 1)
    model, plain = make_model(), make_model()
    done = run(model, real, replay, replace(QUICK, early_stopping="k-fold"))
    losses = dict(done.losses)
    assert done.held_out == ()
    assert set(losses) == {0, 5}
    assert losses[done.steps] == min(losses.values())
    if done.steps:
        run(plain, real, replay, QUICK)
    assert same(model, plain)


@pytest.mark.parametrize("strategy", ["lp-ft", "lora"])
def test_wise_mixes_before_and_after(strategy: str, make_model: Any, frames: Any) -> None:
    real, replay = frames(4, 0), frames(4, 1)
    settings = replace(QUICK, strategy=strategy)
    start, end = make_model(), make_model()
    run(end, real, replay, settings)
    for share in (0.0, 0.25, 1.0):
        model = make_model()
        run(model, real, replay, replace(settings, wise=share))
        if share in (0.0, 1.0):
            assert same(model, end if share else start)
        else:
            before, after = start.state_dict(), end.state_dict()
            for name, value in model.state_dict().items():
                if value.is_floating_point():
                    torch.testing.assert_close(value, 0.75 * before[name] + 0.25 * after[name])


def test_a_given_rate_is_used(make_model: Any, frames: Any) -> None:
    models = [make_model(), make_model()]
    done = [run(m, frames(4, 0), None, replace(QUICK, last_rate=r)) for m, r in zip(models, (None, 1e-5), strict=True)]
    assert [p.rate for p in done[0].strategy.phases] == [1e-3, 5e-4]
    assert [p.rate for p in done[1].strategy.phases] == pytest.approx([2e-5, 1e-5])
    start = make_model().state_dict()
    way = [sum(float((v - start[n]).square().sum()) for n, v in m.state_dict().items()) for m in models]
    assert way[1] < 0.01 * way[0]


@pytest.mark.slow
def test_a_found_rate_is_used_and_finding_it_changes_nothing_else(make_model: Any, frames: Any) -> None:
    real = frames(4, 0)
    found, given = make_model(), make_model()
    done = run(found, real, None, replace(QUICK, find_rate=True, strategy="lora"))
    assert done.rate_curve is not None
    assert done.rate_curve.suggested is not None
    assert done.strategy.phases[-1].rate == pytest.approx(done.rate_curve.suggested)
    run(given, real, None, replace(QUICK, last_rate=done.rate_curve.suggested, strategy="lora"))
    assert same(found, given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strategy": "magic"}, "strategy must be one of head, lp-ft"),
        ({"wise": 1.5}, r"wise must be from 0 .*, got 1\.5"),
        ({"replay_share": 1.0}, r"replay_share must be 0 or more and less than 1, got 1\.0"),
        ({"last_rate": 0.0}, r"rate must be more than 0, got 0\.0"),
        ({"last_rate": 1e-3, "find_rate": True}, "find_rate has nothing to find"),
        ({"early_stopping": "k-fold"}, "needs 2 or more labelled frames, got 1"),
    ],
)
def test_a_setting_out_of_range_is_one_clear_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_settings(replace(FinetuneSettings(), **change), 1)


def test_default_settings_are_fine() -> None:
    check_settings(FinetuneSettings(), 1)
