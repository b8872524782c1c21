import math

import pytest
import torch

from sim2real.adaptation.fine_tuning.interpolation import interpolate, sweep


def states() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    start = {
        "weight": torch.randn(4, 3, generator=generator),
        "running_var": torch.rand(4, generator=generator),
        "num_batches_tracked": torch.tensor(2**40),
    }
    tuned = {
        "weight": torch.randn(4, 3, generator=generator) * 1e6,
        "running_var": torch.rand(4, generator=generator),
        "num_batches_tracked": torch.tensor(2**40 + 7),
    }
    return start, tuned


def test_the_ends_are_exact() -> None:
    start, tuned = states()
    assert all(torch.equal(v, start[n]) for n, v in interpolate(start, tuned, 0.0).items())
    assert all(torch.equal(v, tuned[n]) for n, v in interpolate(start, tuned, 1.0).items())


def test_between_them_statistics_are_mixed_and_whole_numbers_are_kept() -> None:
    start, tuned = states()
    mixed = interpolate(start, tuned, 0.25)
    torch.testing.assert_close(mixed["running_var"], 0.75 * start["running_var"] + 0.25 * tuned["running_var"])
    assert mixed["num_batches_tracked"] == 2**40
    assert mixed["num_batches_tracked"].dtype == torch.int64
    assert interpolate(start, tuned, 0.75)["num_batches_tracked"] == 2**40 + 7


def test_the_result_shares_no_memory() -> None:
    start, tuned = states()
    for alpha in (0.0, 0.5, 1.0):
        interpolate(start, tuned, alpha)["weight"].fill_(9.0)
    fresh_start, fresh_tuned = states()
    assert torch.equal(start["weight"], fresh_start["weight"])
    assert torch.equal(tuned["weight"], fresh_tuned["weight"])


def test_what_does_not_fit_is_named() -> None:
    start, tuned = states()
    with pytest.raises(ValueError, match=r"alpha must be from 0 to 1, got 1\.5"):
        interpolate(start, tuned, 1.5)
    with pytest.raises(ValueError, match="'weight' must have one shape"):
        interpolate(start, {**tuned, "weight": torch.zeros(3)}, 0.5)
    with pytest.raises(ValueError, match="'other' is in one of them only"):
        interpolate(start, {**tuned, "other": torch.zeros(3)}, 0.5)


def test_a_sweep_finds_the_best_share() -> None:
    start, tuned = {"w": torch.tensor([0.0])}, {"w": torch.tensor([1.0])}
    found = sweep(start, tuned, lambda state: (float(state["w"]) - 0.32) ** 2)
    assert found.best == 0.3
    assert found.scores[3] == min(found.scores)
    assert len(found.scores) == len(found.alphas) == 11


def test_a_sweep_passes_over_what_is_no_number_and_prefers_the_start() -> None:
    start, tuned = {"w": torch.tensor([0.0])}, {"w": torch.tensor([1.0])}
    found = sweep(start, tuned, lambda state: math.nan if state["w"] == 0 else 1.0, (0.0, 0.5, 1.0))
    assert found.best == 0.5
    with pytest.raises(ValueError, match="at least one score"):
        sweep(start, tuned, lambda state: math.nan)
