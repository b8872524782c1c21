import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from calibration.errors import InputError
from envs.arm.env import ArmEnv
from envs.arm.group import ArmGroup
from policies.evaluation import run_episodes
from policies.group_episodes import play
from policies.imitation.dagger import gather
from policies.imitation.demonstrations import Demonstrations
from policies.imitation.eye import Eye, pixel_errors, train_eye
from policies.imitation.student import Student, StudentPolicy, StudentSpec, remembered
from policies.saved import load_policy
from policies.scripted import make_expert
from policies.see_then_act import SeeThenAct
from sim2real.distill import distill
from sim2real.environments import make_environment
from sim2real.policy_configs import DistillConfig

CONFIG = DistillConfig(
    "PandaReach-v0",
    Path("unset"),
    student="state",
    rounds=3,
    episodes=10,
    updates=300,
    batch_size=256,
    envs=5,
    evaluate=20,
    threads=1,
    device="cpu",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return distill(replace(CONFIG, out=tmp_path_factory.mktemp("distill") / "whole"))


def test_a_student_of_vectors_learns_to_reach(whole: Path) -> None:
    found = json.loads((whole / "finished.json").read_text())
    assert found["teacher"]["value"] == 1.0
    assert found["student"]["value"] >= 0.95
    env = make_environment("PandaReach-v0")
    records = run_episodes(load_policy(whole, env), env, list(range(20)))
    assert sum(r.success for r in records) >= 19
    env.close()


@pytest.mark.slow
def test_distillation_that_is_killed_and_resumed_is_the_same(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    words = "--env PandaReach-v0 --student state --rounds 3 --episodes 10 --updates 300 --batch-size 256 --envs 5"
    words += f" --evaluate 20 --threads 1 --device cpu --out {out}"
    command = [sys.executable, "-m", "sim2real.cli", "distill", *words.split()]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not (out / "rounds" / "round_001").is_dir():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "finished.json").exists()
    distill(replace(CONFIG, out=out, resume=True))
    one, two = (load_policy(run).student.state_dict() for run in (whole, out))
    assert all(torch.equal(one[k], two[k]) for k in one)
    log = [[json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()] for run in (whole, out)]
    assert [e["loss"] for e in log[0]] == [e["loss"] for e in log[1]]


@pytest.mark.slow
def test_a_camera_student_sees_pictures_and_no_object(tmp_path: Path) -> None:
    few = {"rounds": 1, "episodes": 5, "updates": 3, "evaluate": 5, "eye_episodes": 25, "eye_updates": 30}
    config = replace(CONFIG, env="PandaPush-v0", student="pixels", randomization="wide", **few)
    run = distill(replace(config, out=tmp_path / "run", batch_size=8, image_size=(32, 24)))
    policy = load_policy(run)
    assert policy.student.spec == StudentSpec(9, 3, (32, 24), 4, 1)
    assert not (run / "eye").exists()
    assert not (run / "rounds").exists()
    env = make_environment("PandaPush-v0", observation="pixels", image_size_px=(32, 24))
    seen, _ = env.reset(seed=0)
    action, _ = load_policy(run, env).predict(seen)
    assert action.shape == (3,)
    assert not np.array_equal(action, policy.predict({**seen, "image_main": 255 - seen["image_main"]})[0])
    env.close()
    other = make_environment("PandaPush-v0")
    with pytest.raises(InputError, match="was trained with the observations Dict"):
        load_policy(run, other)
    other.close()


def test_a_resumed_run_does_not_train_the_eye_again(tmp_path: Path) -> None:
    few = {"rounds": 1, "episodes": 5, "updates": 3, "evaluate": 5, "eye_episodes": 25, "eye_updates": 30}
    config = replace(CONFIG, env="PandaPush-v0", student="pixels", image_size=(32, 24), out=tmp_path / "run", **few)
    run = distill(config)
    before = load_policy(run).student.state_dict()
    (run / "finished.json").unlink()
    (run / "checkpoints" / "round_000.safetensors").unlink()
    distill(replace(config, resume=True))
    after = load_policy(run).student.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_a_trained_policy_can_be_the_teacher(whole: Path, tmp_path: Path) -> None:
    run = distill(replace(CONFIG, teacher=str(whole), out=tmp_path / "run", updates=100, rounds=1))
    assert json.loads((run / "finished.json").read_text())["teacher"]["value"] >= 0.95


def test_the_labels_of_the_eye_are_where_things_are_drawn() -> None:
    group = ArmGroup(lambda: ArmEnv(task="Push", observation="pixels"), 4)
    group.begin([1, 2, 3, 4], look=False)
    images, pixels = group.labelled()
    for image, (x, y) in zip(images.astype(int), pixels[:, 0], strict=True):
        red = image[..., 0] - image[..., 1:].max(axis=2) > 60
        rows, columns = np.nonzero(red)
        assert np.hypot(columns.mean() - x, rows.mean() - y) < 1.0
    group.close()


def test_an_eye_learns_where_a_spot_is(tmp_path: Path) -> None:
    rng, torch_seed = np.random.default_rng(0), 0
    pixels = rng.uniform(4, 28, (600, 1, 2)).astype(np.float32)
    y, x = np.mgrid[:32, :32]
    spots = np.exp(-((x - pixels[:, :, :1]) ** 2 + (y - pixels[:, :, 1:]) ** 2) / 8)
    images = (spots[..., None] * 200 + rng.integers(0, 55, (600, 32, 32, 3))).astype(np.uint8)
    data, test = Demonstrations(tmp_path / "d"), Demonstrations(tmp_path / "t")
    data.add({"images": images[:500], "pixels": pixels[:500]})
    test.add({"images": images[500:], "pixels": pixels[500:]})
    torch.manual_seed(torch_seed)
    eye = Eye(1)
    train_eye(eye, data, 150, 32, 0, torch.device("cpu"))
    errors = pixel_errors(eye, test, torch.device("cpu"))
    assert errors.median() < 0.5
    points = eye.points(torch.from_numpy(images[500:]).permute(0, 3, 1, 2)).detach()
    wanted = 2 * (pixels[500:, 0] + 0.5) / 32 - 1
    assert np.median(np.abs(points[:, :2].numpy() - wanted)) < 0.03
    assert points[:, 2].min() > 0.3


def test_demonstrations_are_read_back_from_disk_by_number(tmp_path: Path) -> None:
    data, rng = Demonstrations(tmp_path / "d"), np.random.default_rng(0)
    rounds = [
        {"pixels": rng.random((n, 1, 2), np.float32), "images": rng.integers(0, 255, (n, 4, 5, 3), np.uint8)}
        for n in (3, 7)
    ]
    for found in rounds:
        data.add(found)
    (tmp_path / "d" / "round_002.part").mkdir()
    again = Demonstrations(tmp_path / "d")
    assert len(again) == 10
    images = np.concatenate([r["images"] for r in rounds]).transpose(0, 3, 1, 2)
    chosen = torch.tensor([9, 0, 3, 2, 3])
    np.testing.assert_array_equal(again.images(chosen).numpy(), images[chosen.numpy()])
    np.testing.assert_array_equal(again.every("pixels")[3:].numpy(), rounds[1]["pixels"])


def test_a_group_acts_as_its_environments_do_alone() -> None:
    group = ArmGroup(lambda: ArmEnv(task="Push", observation="both", image_size_px=(32, 32)), 2)
    alone = ArmEnv(task="Push", observation="both", image_size_px=(32, 32))
    expert = make_expert(alone)
    seen = group.begin([5, 6])
    for number, seed in enumerate((5, 6)):
        one, _ = alone.reset(seed=seed)
        np.testing.assert_array_equal(one["image_main"], seen["image_main"][number])
    actions = expert.predict(seen)[0]
    after = group.step(actions)
    alone.reset(seed=6)
    one = alone.step(actions[1])[0]
    for name in one:
        np.testing.assert_array_equal(one[name], after[name][1])
    assert play(group, expert, [1, 2, 3, 4], sees_state=True).solved == 4
    group.close()
    alone.close()


def test_places_are_averaged_as_sure_as_the_eye_is_and_forgotten_at_a_start() -> None:
    torch.manual_seed(0)
    student = Student(StudentSpec(5, 2, (24, 24), 3, 2)).eval()
    seen = torch.rand(2, 5 + 9)
    seen[:, [7, 10]] = torch.tensor([[1.0, 0.0], [0.5, 1.0]])
    now, before = student.places(seen).detach(), torch.zeros(2, 6)
    weights = 0.35 * torch.tensor([[1.0, 0.0], [0.5, 1.0]]).repeat_interleave(3, dim=1)
    found = student.remember(seen, before)
    assert found is not None
    torch.testing.assert_close(found, weights * now)
    kept = remembered(student, seen, (before.numpy(),), np.array([False, True]))
    assert kept is not None
    torch.testing.assert_close(kept[0].detach(), found[0])
    torch.testing.assert_close(kept[1].detach(), now[1])


def test_the_teacher_is_asked_about_what_the_sensors_say() -> None:
    group = ArmGroup(lambda: make_environment("PandaPush-v0", None, "dynamics").unwrapped, 2)
    env = group.envs[0]
    vectors = env.observer.size + len(env.goal)
    torch.manual_seed(0)
    expert, student = make_expert(env), Student(StudentSpec(vectors, 3)).eval()
    found, _ = gather(group, expert, student, False, [5, 6], np.random.default_rng(0))
    seen = {"observation": found["seen"][:, :-3], "desired_goal": found["seen"][:, -3:]}
    np.testing.assert_array_equal(found["actions"], np.clip(expert.predict(seen)[0], -1.0, 1.0))
    # Late and noisy as they are, that is not what it would have done at the truth.
    group.begin([5, 6])
    truth = [group.true_observation()]
    for actions in found["actions"].reshape(-1, 2, 3)[:10]:
        group.step(actions)
        truth.append(group.true_observation())
    wanted = np.concatenate([np.clip(expert.predict(t)[0], -1.0, 1.0) for t in truth[1:]])
    assert np.abs(wanted - found["actions"][2 : 2 + len(wanted)]).max() > 0.05
    group.close()


def test_see_then_act_gives_the_policy_what_the_eye_found() -> None:
    class Echo:
        def predict(self, observation: Any, *_: Any) -> Any:
            self.seen = observation
            return np.zeros((len(observation["observation"]), 3)), None

    task = ArmEnv(task="Push").task
    torch.manual_seed(0)
    student = Student(StudentSpec(9, 3, (24, 24), 4, 1)).eval()
    rng, echo = np.random.default_rng(0), Echo()
    observation = {
        "observation": rng.random(6, np.float32),
        "desired_goal": rng.random(3, np.float32),
        "image_main": rng.integers(0, 255, (24, 24, 3), np.uint8),
    }
    action, state = SeeThenAct(student, echo, task).predict(observation)
    assert action.shape == (3,)
    assert state is not None
    np.testing.assert_array_equal(echo.seen["observation"][0, :6], observation["observation"])
    np.testing.assert_array_equal(echo.seen["observation"][0, 6:9], state[0][0])
    np.testing.assert_array_equal(echo.seen["achieved_goal"], state[0])
    np.testing.assert_array_equal(echo.seen["observation"][0, 9:], 0)


def test_a_policy_predicts_one_observation_as_a_batch_of_one() -> None:
    torch.manual_seed(0)
    policy = StudentPolicy(Student(StudentSpec(5, 2, (24, 24), 2, 1)))
    rng = np.random.default_rng(0)
    batch: dict[str, Any] = {
        "observation": rng.random((3, 2), np.float32),
        "desired_goal": rng.random((3, 3), np.float32),
        "image_main": rng.integers(0, 255, (3, 24, 24, 3), np.uint8),
    }
    every = policy.predict(batch)[0]
    for k in range(3):
        np.testing.assert_allclose(policy.predict({n: v[k] for n, v in batch.items()})[0], every[k], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"episodes": 12}, r"--episodes must be a multiple of --envs \(5\), got 12"),
        ({"rounds": 0}, "--rounds must be 1 or more, got 0"),
        ({"teacher": "/nowhere"}, "policy must be a folder made by `sim2real train`, `distill` or `tune`"),
        (
            {"env": "CartPole-v1", "student": "state"},
            "observation: only the arm environments of sim2real have this, got 'CartPole-v1'",
        ),
    ],
)
def test_a_bad_setting_says_what_is_wrong(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        distill(replace(CONFIG, out=tmp_path / "run", **change))
    assert not (tmp_path / "run").exists()
