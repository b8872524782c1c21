import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from calibration.errors import InputError
from calibration.world import with_values
from policies.imitation.saved import StudentCard, save_student
from policies.imitation.student import Student, StudentSpec
from policies.space_cards import card_of_box, cards_of_observation
from sim2real.environments import make_environment
from sim2real.policy_configs import RolloutConfig
from sim2real.rollout import rollout

CONFIG = RolloutConfig("PandaPush-v0", Path("unset"), episodes=3, width=80)


@pytest.fixture(scope="module")
def eye(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera student that has learned nothing."""
    env = make_environment("PandaPush-v0", observation="pixels", image_size_px=(40, 32))
    torch.manual_seed(0)
    spec = StudentSpec(9, 3, (40, 32), 4, 1)
    boxes = cards_of_observation(env.observation_space), card_of_box(env.action_space)
    folder = tmp_path_factory.mktemp("eye")
    save_student(folder, Student(spec), StudentCard("sim2real/PandaPush-v0", spec, *boxes, "nothing"))
    env.close()
    return folder


def test_records_say_how_each_episode_went_and_repeat_it(tmp_path: Path) -> None:
    said = rollout(replace(CONFIG, out=tmp_path / "run", randomization="wide+dynamics", seed=4))
    lines = [json.loads(line) for line in (tmp_path / "run" / "episodes.jsonl").read_text().splitlines()]
    assert [line["seed"] for line in lines] == [4, 5, 6]
    rate = json.loads((tmp_path / "run" / "summary.json").read_text())["success"]
    assert rate["value"] == pytest.approx(np.mean([line["success"] for line in lines]))
    assert f"{100 * rate['value']:.0f} %" in said
    video = cv2.VideoCapture(str(tmp_path / "run" / "grid.mp4"))
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (160, 120)
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == max(line["steps"] for line in lines)
    video.release()
    # The world of the record is the world of the episode.
    env = make_environment("PandaPush-v0").unwrapped
    values: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in lines[1]["world"].items()}
    world = replace(with_values(env.task.nominal_world(), values), noise_seed=lines[1]["noise_seed"])
    drawn = make_environment("PandaPush-v0", randomization="wide+dynamics")
    assert drawn.reset(seed=5)[1]["world"] == world
    env.close()
    drawn.close()


def test_a_camera_policy_gets_the_pictures_that_it_knows(eye: Path, tmp_path: Path) -> None:
    rollout(replace(CONFIG, policy=str(eye), out=tmp_path / "run", video=False, episodes=2))
    assert not (tmp_path / "run" / "grid.mp4").exists()
    rollout(replace(CONFIG, see=eye, out=tmp_path / "modular", video=False, episodes=2))
    lines = (tmp_path / "modular" / "episodes.jsonl").read_text().splitlines()
    assert len(lines) == 2


def test_a_policy_is_scored_in_the_held_out_simulation_too(tmp_path: Path) -> None:
    config = replace(CONFIG, env="PandaReach-v0", video=False, held_out=2, difficulty="hard", out=tmp_path / "run")
    said = rollout(config)
    found = json.loads((tmp_path / "run" / "held_out.json").read_text())
    lines = [json.loads(line) for line in (tmp_path / "run" / "held_out.jsonl").read_text().splitlines()]
    assert found["simulation"] == "held-out simulation"
    assert "held-out simulation: success" in said
    assert [line["seed"] for line in lines] == [0, 1, 2, 0, 1, 2]
    for k, station in enumerate(found["stations"]):
        own = [line for line in lines if line["station"] == station["station"]]
        assert station["station"] == f"held-out simulation {k} (hard)"
        assert station["success"]["value"] == pytest.approx(np.mean([line["success"] for line in own]))
        assert station["hidden"]["delay"]["actuation.delay_s"] == own[0]["world"]["actuation.delay_s"]
    assert found["source"] == json.loads((tmp_path / "run" / "summary.json").read_text())["success"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"held_out": -1}, "--held-out must be 0 or more, got -1"),
        ({"held_out": 1, "env": "DoublePendulum-v0"}, "a held-out simulation is there for"),
        ({"episodes": 0}, "--episodes must be 1 or more, got 0"),
        ({"policy": "/nowhere"}, "policy must be a folder made by"),
        ({"see": Path("/nowhere")}, "policy must be a folder made by"),
        ({"env": "PandaSlyde-v0"}, "nearest: sim2real/PandaSlide-v0"),
    ],
)
def test_a_bad_setting_says_what_is_wrong(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        rollout(replace(CONFIG, out=tmp_path / "run", **change))
    assert not (tmp_path / "run").exists()


def test_a_policy_for_another_task_is_not_let_act(eye: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was trained with the observations Dict"):
        rollout(replace(CONFIG, env="PandaPickAndPlace-v0", policy=str(eye), out=tmp_path / "run"))
