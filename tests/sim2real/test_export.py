import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from calibration.errors import InputError
from calibration.rig_file import load_rig
from calibration.view import CameraView
from policies.checkpoint import ModelCard, save_checkpoint
from policies.imitation.saved import StudentCard, save_student
from policies.imitation.student import Student, StudentPolicy, StudentSpec
from policies.perception import HeadName, ModelSpec, PerceptionModel
from policies.saved import load_policy
from policies.space_cards import card_of_box, cards_of_observation
from sim2real.environments import make_environment
from sim2real.export import export
from sim2real.policy_configs import ExportConfig, TrainConfig
from sim2real.train import train

onnxruntime = pytest.importorskip("onnxruntime", reason="export needs the extra 'export'")


def exported(model: Path, out: Path) -> tuple[Any, dict[str, Any]]:
    export(ExportConfig(model, out))
    record = json.loads((out / "export.json").read_text())
    assert record["largest_relative_difference_from_torch"] < 1e-4
    assert record["latency_ms"]["onnxruntime"] > 0
    return onnxruntime.InferenceSession(str(out / "model.onnx"), providers=["CPUExecutionProvider"]), record


@pytest.mark.parametrize("head", ["keypoints", "regression"])
def test_a_perception_model_finds_the_same_as_in_torch(head: HeadName, tmp_path: Path) -> None:
    torch.manual_seed(0)
    rig = load_rig("cube_on_table")
    spec = ModelSpec("test_resnet", head, 1, (64, 48), (0.1, 0.0, 0.0), (0.1, 0.1, 0.1))
    model = PerceptionModel(spec).eval()
    card = ModelCard(spec, rig, CameraView.of(rig), "nominal", "none", "nothing")
    save_checkpoint(tmp_path / "model", model, card, {})
    session, record = exported(tmp_path / "model", tmp_path / "out")
    assert record["kind"] == "perception model"
    pictures = np.random.default_rng(1).integers(0, 255, (5, 48, 64, 3), np.uint8)
    wanted = model.predict(pictures, torch.device("cpu"))
    found = session.run(None, {"pictures": pictures.transpose(0, 3, 1, 2)})
    expected = wanted.keypoints_px if head == "keypoints" else wanted.points_m
    assert expected is not None
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("algorithm", ["sac", "ppo"])
def test_a_learned_policy_acts_the_same_as_predict(algorithm: Any, tmp_path: Path) -> None:
    run = train(TrainConfig("PandaReach-v0", tmp_path / "run", algorithm, steps=120, episodes=1))
    session, _ = exported(run, tmp_path / "out")
    env, policy = make_environment("PandaReach-v0"), load_policy(run)
    for seed in range(5):
        seen, _ = env.reset(seed=seed)
        names = {i.name for i in session.get_inputs()}
        (found,) = session.run(None, {n: v[None].astype(np.float32) for n, v in seen.items() if n in names})
        np.testing.assert_allclose(found[0], policy.predict(seen, deterministic=True)[0], atol=1e-5)
    env.close()


def test_a_camera_policy_acts_and_remembers_the_same(tmp_path: Path) -> None:
    env = make_environment("PandaPush-v0", observation="pixels", image_size_px=(40, 32))
    torch.manual_seed(0)
    spec = StudentSpec(9, 3, (40, 32), 4, 1)
    boxes = cards_of_observation(env.observation_space), card_of_box(env.action_space)
    student = Student(spec)
    save_student(tmp_path / "policy", student, StudentCard("PandaPush-v0", spec, *boxes, "nothing"))
    session, record = exported(tmp_path / "policy", tmp_path / "out")
    assert record["outputs"] == ["action", "places_after"]
    policy, state, places = StudentPolicy(student), None, np.zeros((1, 3), np.float32)
    seen, _ = env.reset(seed=0)
    for step in range(4):
        action, state = policy.predict(seen, state)
        vector = np.concatenate([seen["observation"], seen["desired_goal"]])[None]
        first = np.full((1, 1), float(step == 0), np.float32)
        given = {"vector": vector, "image_main": seen["image_main"][None], "places": places, "first": first}
        found, places = session.run(None, given)
        np.testing.assert_allclose(found[0], action, atol=1e-4)
        assert state is not None
        np.testing.assert_allclose(places, state[0], atol=1e-4)
        seen = env.step(action)[0]
    env.close()


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="policy must be a folder made by"):
        export(ExportConfig(tmp_path / "nothing", tmp_path / "out"))
    (tmp_path / "taken").mkdir()
    with pytest.raises(InputError, match="output folder must be new"):
        export(ExportConfig(tmp_path / "nothing", tmp_path / "taken"))
