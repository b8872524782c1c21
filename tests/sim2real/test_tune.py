import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.errors import InputError
from envs.arm.group import ArmGroup
from policies.evaluation import run_episodes
from policies.group_episodes import play
from policies.saved import load_policy
from policies.scripted import make_expert
from policies.scripted.push import PushExpert, PushStyle
from sim2real.environments import make_environment
from sim2real.policy_configs import TuneConfig
from sim2real.tune import tune

CONFIG = TuneConfig("PandaPush-v0", Path("unset"), None, "dynamics", 2, 4, 4, envs=4, evaluate=8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tune") / "whole"
    said = tune(replace(CONFIG, out=out))
    assert said.startswith(f"{out}; success ")
    assert "8 episodes" in said
    return out


def test_a_tuned_expert_is_a_policy_with_its_settings(whole: Path) -> None:
    last = json.loads((whole / "log.jsonl").read_text().splitlines()[-1])
    env = make_environment("PandaPush-v0")
    policy = load_policy(whole, env)
    assert isinstance(policy, PushExpert)
    assert policy.style != PushStyle()
    for name, (low, high) in PushStyle.ranges().items():
        assert low <= getattr(policy.style, name) <= high
        assert getattr(policy.style, name) == pytest.approx(last["style"][name], rel=1e-9)
    seen, _ = env.reset(seed=3)
    np.testing.assert_array_equal(policy.predict(seen)[0], load_policy(whole).predict(seen)[0])
    env.close()
    reach = make_environment("PandaReach-v0")
    with pytest.raises(InputError, match="was trained with the observations"):
        load_policy(whole, reach)
    reach.close()


def test_a_search_that_was_interrupted_goes_on_as_if_it_had_not_been(whole: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(whole, cut)
    for name in ("finished.json", "checkpoints/round_001.json", "policy/expert_card.json"):
        (cut / name).unlink()
    tune(replace(CONFIG, out=cut, resume=True))
    assert load_policy(cut).style == load_policy(whole).style
    logs = [
        [json.loads(line)["scores"] for line in (run / "log.jsonl").read_text().splitlines()] for run in (whole, cut)
    ]
    assert logs[0] == logs[1]


def test_episodes_played_together_are_those_of_single_environments() -> None:
    def make() -> Any:
        return make_environment("PandaPush-v0", None, "dynamics")

    group, env = ArmGroup(lambda: make().unwrapped, 2), make()
    seeds = [11, 12, 13, 14, 15, 16]
    played = play(group, make_expert(env), seeds)
    records = run_episodes(make_expert(env), env, seeds)
    assert played.reached.tolist() == [r.success for r in records]
    assert played.steps.tolist() == [r.steps for r in records]
    assert 0 < played.solved < len(seeds)
    group.close()
    env.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"episodes": 6}, r"--episodes must be a multiple of --envs \(4\), got 6"),
        ({"candidates": 3}, "--candidates must be 4 or more, got 3"),
        ({"env": "PandaReach-v0"}, r"--env must be one of Push, .* got PandaReach-v0 \(Reach\)"),
        ({"env": "SimplePendulum-v0", "randomization": None}, "experts are there for Reach, Push"),
    ],
)
def test_a_bad_setting_says_what_is_wrong(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        tune(replace(CONFIG, out=tmp_path / "run", **change))
    assert not (tmp_path / "run").exists()
