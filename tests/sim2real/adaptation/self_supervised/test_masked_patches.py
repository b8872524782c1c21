import numpy as np
import pytest
import torch

from sim2real.adaptation.self_supervised.masked_patches import (
    MaskedPatches,
    choose_hidden,
    hide,
    masked_patch_loss,
    patches_of,
    standard_patches,
)

PATCH = 16


def hidden_of(count: int, seed: int = 0) -> torch.Tensor:
    return choose_hidden(count, 56, 80, np.random.default_rng(seed))


def standard_by_hand(picture: np.ndarray) -> np.ndarray:
    """Return a picture (3, H, W) with each whole patch in its own units, the rest 0."""
    out = np.zeros_like(picture)
    for top in range(0, picture.shape[1] - PATCH + 1, PATCH):
        for left in range(0, picture.shape[2] - PATCH + 1, PATCH):
            part = picture[:, top : top + PATCH, left : left + PATCH]
            out[:, top : top + PATCH, left : left + PATCH] = (part - part.mean()) / np.sqrt(part.var() + 25.0)
    return out


def test_as_many_patches_of_each_picture_are_hidden_and_others_each_time() -> None:
    hidden = hidden_of(200)
    assert hidden.shape == (200, 3, 5)
    assert (hidden.sum(dim=(1, 2)) == 8).all()
    share = hidden.float().mean(dim=0)
    # 8 of 15 patches, 200 pictures: four standard deviations.
    assert ((share - 8 / 15).abs() < 4 * (8 / 15 * 7 / 15 / 200) ** 0.5).all()
    assert not torch.equal(hidden, hidden_of(200, 1))


@pytest.mark.parametrize("share", [0.0, 1.0, 0.01])
def test_hiding_nothing_or_all_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="must hide some and not all of 15 patches of 16 px, got share"):
        choose_hidden(2, 56, 80, np.random.default_rng(0), share)


def test_nothing_of_a_hidden_patch_is_left(make_pictures) -> None:
    pictures, hidden = make_pictures(3), hidden_of(3)
    other = make_pictures(3, 1)
    rows, columns = np.nonzero(hidden[1].numpy())
    changed = pictures.clone()
    for row, column in zip(rows, columns, strict=True):
        place = np.s_[1, :, row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH]
        changed[place] = other[place]
    assert not torch.equal(changed, pictures)
    assert torch.equal(hide(changed, hidden), hide(pictures, hidden))
    wild = torch.where(changed != pictures, torch.nan, pictures.float())
    assert torch.equal(hide(wild, hidden), hide(pictures, hidden))


def test_what_is_not_hidden_stays_and_what_is_has_its_mean(make_pictures) -> None:
    pictures, hidden = make_pictures(2), hidden_of(2)
    shown = hide(pictures, hidden).numpy()
    for k in range(2):
        covered = np.zeros((56, 80), bool)
        covered[:48] = np.kron(hidden[k].numpy(), np.ones((PATCH, PATCH), bool))
        picture = pictures[k].numpy().astype(np.float64)
        np.testing.assert_array_equal(shown[k][:, ~covered], picture[:, ~covered])
        mean = picture[:, ~covered].mean(axis=1)
        np.testing.assert_allclose(shown[k][:, covered], np.repeat(mean[:, None], covered.sum(), axis=1), rtol=1e-5)


def test_standard_patches_by_hand(make_pictures) -> None:
    pictures = make_pictures(2)
    by_hand = np.stack([standard_by_hand(p.numpy().astype(np.float64)) for p in pictures])
    np.testing.assert_allclose(standard_patches(pictures), patches_of(torch.from_numpy(by_hand)), atol=1e-5)
    flat = torch.full((1, 3, 32, 32), 90.0)
    flat[0, 0, 0, 0] = 91.0
    # A grey level of noise on a flat patch stays a fifth of a unit.
    assert float(standard_patches(flat).abs().max()) == pytest.approx(0.2, rel=0.01)


def test_a_perfect_drawing_costs_nothing_and_visible_patches_do_not_count(make_pictures) -> None:
    pictures, hidden = make_pictures(2), hidden_of(2)
    perfect = torch.from_numpy(np.stack([standard_by_hand(p.numpy().astype(np.float64)) for p in pictures]))
    assert float(masked_patch_loss(perfect, pictures, hidden)) == pytest.approx(0.0, abs=1e-6)
    covered = torch.zeros(2, 1, 56, 80, dtype=torch.bool)
    covered[:, 0, :48] = hidden.repeat_interleave(PATCH, dim=1).repeat_interleave(PATCH, dim=2)
    spoilt = torch.where(covered, perfect, torch.full_like(perfect, 7.0))
    assert float(masked_patch_loss(spoilt, pictures, hidden)) == pytest.approx(0.0, abs=1e-6)
    # The mean absolute value of noise that is even over its range, in units of its spread, is the root of 3/4.
    nothing = masked_patch_loss(torch.zeros(2, 3, 56, 80), pictures, hidden)
    assert float(nothing) == pytest.approx(0.75**0.5, rel=0.02)


def test_the_gradient_reaches_every_stage_and_grows_with_strength(make_model, make_pictures) -> None:
    model = make_model()
    task = MaskedPatches(model, 0)
    body = [p for n, p in model.backbone.named_parameters() if n.endswith("weight") and p.ndim == 4]
    pictures = make_pictures(3), make_pictures(2, 1)
    full, half, none = (
        torch.autograd.grad(task(model, *pictures, 4, strength), [*body, *task.parameters()])
        for strength in (1.0, 0.5, 0.0)
    )
    assert all(torch.isfinite(g).all() for g in full)
    for k in range(len(body)):
        assert float(full[k].abs().max()) > 0
        torch.testing.assert_close(half[k], 0.5 * full[k], rtol=1e-4, atol=1e-9)
        assert float(none[k].abs().max()) == 0.0
    # The decoder learns at its full rate from the start.
    for k in range(len(body), len(full)):
        torch.testing.assert_close(none[k], full[k], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("value", [0, 255])
def test_constant_pictures_have_finite_gradients(make_model, value: int) -> None:
    model = make_model()
    task = MaskedPatches(model, 0)
    flat = torch.full((2, 3, 56, 80), value, dtype=torch.uint8)
    loss = task(model, flat, flat, 0, 1.0)
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert all(p.grad is None or bool(torch.isfinite(p.grad).all()) for p in model.parameters())


def test_step_and_seed_decide_and_the_global_generator_stays(make_model, make_pictures) -> None:
    model, pictures = make_model(), (make_pictures(2), make_pictures(2, 1))
    before = torch.random.get_rng_state()
    losses = [
        float(MaskedPatches(model, seed)(model, *pictures, step, 1.0).detach())
        for seed, step in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3


def test_a_pattern_that_the_rest_tells_is_drawn(make_model) -> None:
    """Stripes go on through hidden patches: what is drawn there becomes better than nothing."""
    model = make_model()
    task = MaskedPatches(model, 0)
    x = torch.arange(80).float()
    stripes = [127 + 100 * torch.sin(2 * torch.pi * (x / period + phase)) for period in (16, 32) for phase in (0, 0.5)]
    pictures = torch.stack(stripes)[:, None, None, :].expand(4, 3, 56, 80).to(torch.uint8)
    optimizer = torch.optim.AdamW([*model.backbone.parameters(), *task.parameters()], lr=3e-3)
    losses = []
    for step in range(60):
        loss = task(model, pictures[:2], pictures[2:], step, 1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
