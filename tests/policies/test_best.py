from pathlib import Path

import torch
from stable_baselines3 import PPO

from policies.learning.best import BestPolicy, Score
from policies.learning.saved import card_of, load_learned


def model_of(seed: int) -> PPO:
    return PPO("MlpPolicy", "Pendulum-v1", seed=seed, n_steps=8, batch_size=8, device="cpu")


def test_only_what_did_better_replaces_the_best_also_after_an_interruption(tmp_path: Path) -> None:
    models = [model_of(seed) for seed in range(4)]
    cards = [card_of(model, "Pendulum-v1", "ppo", "") for model in models]
    best = BestPolicy(tmp_path / "best")
    assert best.score is None
    best.offer(models[0], cards[0], Score(0.5, -3.0, 10))
    best.offer(models[1], cards[1], Score(0.5, -2.0, 20))
    best.offer(models[2], cards[2], Score(0.5, -2.0, 30))
    best.offer(models[3], cards[3], Score(0.4, 0.0, 40))
    # What was being written when the power went is no policy.
    (tmp_path / "best.part").mkdir()
    again = BestPolicy(tmp_path / "best")
    assert again.score == Score(0.5, -2.0, 20)
    again.offer(models[3], cards[3], Score(0.5, -2.5, 50))
    policy, step = again.take(tmp_path / "policy")
    assert step == 20
    kept = policy.state_dict()
    assert all(torch.equal(kept[k], v) for k, v in models[1].policy.state_dict().items())
    again.offer(models[3], cards[3], Score(0.6, -9.0, 60))
    assert load_learned(again.folder).state_dict()["log_std"].shape == (1,)
    assert not (tmp_path / "best.part").exists()
    # The power went after the old best was removed and before the new one took its place.
    again.folder.rename(tmp_path / "best.part")
    assert BestPolicy(tmp_path / "best").score == Score(0.6, -9.0, 60)
    assert (tmp_path / "best").is_dir()
