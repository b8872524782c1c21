from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from calibration.errors import InputError
from sim2real.adaptation.fine_tuning.early_stopping import EarlyStopping, StopAt, best_common_step, folds, leave_out


def run(losses: list[float], every: int, patience: int) -> tuple[EarlyStopping, nn.Module, int]:
    """Let a model's one weight count the steps; return after which step it was stopped."""
    model = nn.Linear(1, 1, bias=False)
    values: Iterator[float] = iter(losses)
    watch = EarlyStopping(lambda: next(values), every, patience)
    for step in range(len(losses) * every):
        nn.init.constant_(model.weight, step)
        if watch.update(step, model):
            break
    nn.init.constant_(model.weight, -1.0)
    watch.restore(model)
    return watch, model, step


def test_the_best_look_is_kept() -> None:
    watch, model, stopped = run([5.0, 3.0, 2.0, 4.0, 4.0, 4.0, 1.0], 2, 3)
    assert (watch.best_step, stopped) == (4, 10)
    assert float(model.weight.detach()) == 4.0
    assert watch.steps == [0, 2, 4, 6, 8, 10]
    assert watch.losses == [5.0, 3.0, 2.0, 4.0, 4.0, 4.0]


def test_before_the_first_step_may_be_best() -> None:
    watch, model, _ = run([1.0, 2.0, 3.0], 5, 2)
    assert watch.best_step == 0
    assert float(model.weight.detach()) == 0.0


def test_equal_losses_do_not_count_as_better() -> None:
    watch, _, stopped = run([2.0] * 9, 1, 3)
    assert (watch.best_step, stopped) == (0, 3)


def test_a_loss_that_is_no_number_is_never_best() -> None:
    watch, model, _ = run([3.0, float("nan"), 2.5, float("nan")], 1, 5)
    assert watch.best_step == 2
    assert float(model.weight.detach()) == 2.0


def test_stop_at_stops_there() -> None:
    watch, model = StopAt(3), nn.Linear(1, 1)
    assert [watch.update(k, model) for k in range(5)] == [False, False, False, True, True]
    assert StopAt(0).update(0, model)


@pytest.mark.parametrize("count", [2, 3, 10, 50])
def test_leaving_out_divides_all_frames(count: int) -> None:
    fit, held = leave_out(count, 0.2, 1)
    assert sorted([*fit, *held]) == list(range(count))
    assert len(held) == max(1, round(0.2 * count))
    assert len(fit) >= 1
    again = leave_out(count, 0.2, 1)
    np.testing.assert_array_equal(again[1], held)


def test_another_seed_holds_out_others() -> None:
    assert len({tuple(leave_out(20, 0.2, seed)[1]) for seed in range(5)}) == 5


@pytest.mark.parametrize(("count", "parts"), [(10, 3), (2, 3), (7, 7)])
def test_each_frame_is_held_out_once(count: int, parts: int) -> None:
    made = folds(count, parts, 0)
    assert len(made) == min(count, parts)
    assert sorted(k for _, held in made for k in held) == list(range(count))
    for fit, held in made:
        assert not set(fit) & set(held)
        assert len(fit) + len(held) == count


def test_one_frame_cannot_be_held_out() -> None:
    for make in (lambda: leave_out(1, 0.2, 0), lambda: folds(1, 3, 0)):
        with pytest.raises(InputError, match="early stopping needs 2 or more labelled frames, got 1; turn it off"):
            make()


def test_the_best_common_step_has_the_lowest_mean() -> None:
    step, means = best_common_step([([0, 5, 10], [4.0, 1.0, 2.0]), ([0, 5], [4.0, 5.0])])
    assert step == 5
    assert means == ((0, 4.0), (5, 3.0))
    with pytest.raises(ValueError, match="share at least one step"):
        best_common_step([([0], [1.0]), ([5], [1.0])])


def test_weights_that_are_kept_are_copies() -> None:
    model = nn.Linear(2, 2)
    watch = EarlyStopping(lambda: 1.0)
    watch.update(0, model)
    kept = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.zero_()
    watch.restore(model)
    assert torch.equal(model.weight, kept)
