from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from calibration.errors import InputError
from calibration.rig_file import load_rig
from calibration.view import CameraView
from policies.checkpoint import ModelCard, save_checkpoint
from policies.evaluation import run_episodes
from policies.learning import settings
from policies.learning.extractor import AdamByPart, BackboneExtractor
from policies.learning.privileged import TRUE_STATE
from policies.perception import ModelSpec, PerceptionModel
from policies.saved import load_policy
from sim2real.environments import make_environment
from sim2real.policy_configs import TrainConfig
from sim2real.train import train

SPACE = spaces.Dict(
    {
        "image_main": spaces.Box(0, 255, (3, 32, 32), np.uint8),
        "observation": spaces.Box(-1, 1, (5,), np.float32),
    }
)


def test_a_frozen_backbone_keeps_weights_and_statistics() -> None:
    extractor = BackboneExtractor(SPACE, "test_resnet").train()
    before = {k: v.clone() for k, v in extractor.backbone.state_dict().items()}
    optimizer = AdamByPart(extractor.parameters(), lr=0.1)
    for _ in range(3):
        features = extractor({"image_main": torch.rand(4, 3, 32, 32), "observation": torch.rand(4, 5)})
        optimizer.zero_grad()
        features.square().sum().backward()
        optimizer.step()
    assert features.shape == (4, extractor.features_dim) == (4, 69)
    assert all(torch.equal(v, before[k]) for k, v in extractor.backbone.state_dict().items())
    assert extractor.project[0].weight.grad is not None


def test_a_backbone_that_learns_does_so_at_its_own_rate() -> None:
    torch.manual_seed(0)
    extractor = BackboneExtractor(SPACE, "test_resnet", rate=0.01)
    optimizer = AdamByPart(extractor.parameters(), lr=0.1)
    inside = next(p for p in extractor.backbone.parameters() if p.dim() == 4)
    outside = extractor.project[0].weight
    was = inside.detach().clone(), outside.detach().clone()
    extractor({"image_main": torch.rand(4, 3, 32, 32), "observation": torch.rand(4, 5)}).sum().backward()
    optimizer.step()
    # The first step of Adam is the learning rate, whatever the gradient.
    assert (inside - was[0]).abs().max().item() == pytest.approx(0.001, rel=0.01)
    assert (outside - was[1]).abs().max().item() == pytest.approx(0.1, rel=0.01)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.1]


def test_weights_come_from_a_perception_model(tmp_path: Path) -> None:
    rig, spec = load_rig("cube_on_table"), ModelSpec("test_resnet", "keypoints", 1, (32, 32))
    model = PerceptionModel(spec)
    save_checkpoint(tmp_path, model, ModelCard(spec, rig, CameraView.of(rig), "nominal", "none", "nothing"), {})
    extractor = BackboneExtractor(SPACE, "test_resnet", str(tmp_path))
    for one, two in zip(extractor.backbone.parameters(), model.backbone.parameters(), strict=True):
        torch.testing.assert_close(one, two)
    with pytest.raises(InputError, match=r"has the backbone test_resnet, got --backbone regnetx_002"):
        BackboneExtractor(SPACE, "regnetx_002", str(tmp_path))
    with pytest.raises(InputError, match="a backbone needs pictures in the observation, got observation"):
        BackboneExtractor(spaces.Dict({"observation": SPACE["observation"]}), "test_resnet")


@pytest.mark.parametrize("algorithm", [pytest.param("sac", marks=pytest.mark.slow), "ppo"])
def test_a_policy_learns_through_a_backbone_and_is_loaded_again(
    algorithm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # PPO learns once it has acted this long, 1024 steps otherwise.
    for name in ("n_steps", "batch_size"):
        monkeypatch.setitem(settings._PPO, name, 64)
    config = TrainConfig(
        "PandaReach-v0", tmp_path / "run", algorithm, steps=520 if algorithm == "sac" else 64, episodes=1,
        observation="pixels", image_size=(36, 36), cameras=("main", "wrist"), backbone="test_resnet",
        backbone_rate=0.1, hindsight=False, save_every=10_000,
    )  # fmt: skip
    run = train(config)
    env = make_environment("PandaReach-v0", observation="pixels", image_size_px=(36, 36), cameras=("main", "wrist"))
    assert len(run_episodes(load_policy(run, env), env, [1])) == 1
    env.close()


def test_only_the_critic_sees_the_true_state(tmp_path: Path) -> None:
    run = train(
        TrainConfig(
            "PandaPush-v0",
            tmp_path / "run",
            "sac",
            steps=1100,
            episodes=1,
            privileged=True,
            randomization="dynamics",
            save_every=10_000,
        )
    )
    env = make_environment("PandaPush-v0")
    policy = load_policy(run, env)
    assert TRUE_STATE in policy.observation_space.spaces
    seen, _ = env.reset(seed=0)
    action = policy.predict(seen, deterministic=True)[0]
    other = {**seen, TRUE_STATE: np.ones(policy.observation_space[TRUE_STATE].shape, np.float32)}
    np.testing.assert_array_equal(action, policy.predict(other, deterministic=True)[0])
    batch = {k: torch.as_tensor(v)[None] for k, v in other.items()}
    changed = {**batch, TRUE_STATE: 2 * batch[TRUE_STATE]}
    one, two = (policy.critic(o, torch.zeros(1, 3))[0] for o in (batch, changed))
    assert not torch.equal(one, two)
    env.close()


def test_what_cannot_be_privileged_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--privileged needs one of sac, td3, tqc, got ppo"):
        train(TrainConfig("PandaPush-v0", tmp_path / "run", "ppo", privileged=True))
