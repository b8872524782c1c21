"""Distil a policy that sees the state into one that sees pictures; goes on after any interruption."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from calibration.errors import InputError
from calibration.records import to_plain
from policies.evaluation import success_rate
from sim2real.environments import make_environment, world_source
from sim2real.policy_configs import DistillConfig
from sim2real.progress import progress
from sim2real.runs import RunFolder

# Seeds of the episodes in which student and teacher are compared begin here; those of rounds lie below.
_EVALUATION_SEED = 1_000_000_000
# Pictures in a step of the eye's training, and episodes that are drawn and kept at a time.
_EYE_BATCH, _EYE_CHUNK = 64, 5


def distill(config: DistillConfig) -> Path:
    """Teach a student and return the run's folder.

    Raises:
        InputError: a setting that cannot be, an output folder that is taken, or another run to resume.
    """
    _check(config)
    probe = _environment(config)
    try:
        teacher = _teacher(config, probe)
    except InputError:
        probe.close()
        raise

    import torch

    from envs.arm.group import ArmGroup
    from envs.arm.task_world import ARM_LANDMARKS
    from policies.device import pick_device
    from policies.imitation.saved import StudentCard, save_student
    from policies.imitation.student import Student, StudentPolicy, StudentSpec
    from policies.space_cards import card_of_box, cards_of_observation

    run = RunFolder.create(config.out, config, config.resume)
    if run.finished:
        probe.close()
        return run.path
    torch.set_num_threads(config.threads)
    device = pick_device(config.device)
    inner = probe.unwrapped
    vectors = inner.observation_space["observation"].shape[0] + inner.observation_space["desired_goal"].shape[0]
    size = config.image_size if config.student == "pixels" else None
    objects = len(inner.task.objects)
    spec = StudentSpec(vectors, inner.controller.size, size, objects + ARM_LANDMARKS, objects)
    torch.manual_seed(config.seed)
    student = Student(spec).to(device)
    group = ArmGroup(lambda: _environment(config).unwrapped, config.envs, config.threads)
    try:
        began = time.monotonic()
        if student.eye is not None:
            _open_eye(config, run, group, teacher, student, device, began)
        _rounds(config, run, group, teacher, student, device, began)
        learned = time.monotonic() - began
        rates = _compare(config, group, teacher, StudentPolicy(student))
        text = f"{config.rounds} rounds of {config.episodes} episodes from {config.teacher}"
        boxes = cards_of_observation(inner.observation_space), card_of_box(inner.action_space)
        save_student(run.path / "policy", student, StudentCard(config.env, spec, *boxes, text))
        run.finish({**rates, "seconds": round(learned, 1)})
        for name in ("eye", "rounds"):
            shutil.rmtree(run.path / name, ignore_errors=True)
    finally:
        group.close()
        probe.close()
    return run.path


def _open_eye(
    config: DistillConfig, run: RunFolder, group: Any, teacher: Any, student: Any, device: Any, began: float
) -> None:
    """Train the student's eye and estimate, or read them where that was done."""
    from policies.imitation.dagger import LearnSettings, draw_pictures, learn_estimate, place_errors
    from policies.imitation.demonstrations import Demonstrations
    from policies.imitation.eye import pixel_errors, train_eye
    from policies.weights import read_weights, write_weights

    path = run.path / "checkpoints" / "eye.safetensors"
    if path.is_file():
        read_weights(path, student)
        student.eval()
        return
    looks = world_source(group.envs[0].task, config.randomization).many if config.randomization else None
    data, test = Demonstrations(run.path / "eye"), Demonstrations(run.path / "eye" / "test")
    chunk = _EYE_CHUNK * config.envs
    count = -(-config.eye_episodes // chunk)
    with progress("draw pictures for the eye", count * chunk, "episodes", len(data.rounds) * chunk) as advance:
        for number in range(len(data.rounds), count):
            rng = np.random.default_rng([config.seed, number, 3])
            data.add(draw_pictures(group, teacher, _seeds(config, number, 3, chunk), rng, looks))
            advance((number + 1) * chunk)
    if not test.rounds:
        rng = np.random.default_rng([config.seed, 0, 4])
        test.add(draw_pictures(group, teacher, _seeds(config, 0, 4, config.envs), rng, looks))
    with progress("train the eye", config.eye_updates, "updates") as advance:
        eye, batch, note = student.eye, _EYE_BATCH, lambda k, x: advance(k, f"loss {x:.3f}")
        train_eye(eye, data, config.eye_updates, batch, config.seed, device, note)
    settings = LearnSettings(config.updates, config.batch_size, config.learning_rate)
    learn_estimate(student, data, settings, config.seed, device)
    pixels, metres = pixel_errors(student.eye, test, device), place_errors(student, test, device)
    path.parent.mkdir(exist_ok=True)
    write_weights(path, student)
    missed = {
        name: {f"p{q}": round(float(errors.flatten().quantile(q / 100)), digits) for q in (50, 90)}
        for name, errors, digits in (("landmark_px", pixels, 3), ("object_m", metres, 5))
    }
    seconds = round(time.monotonic() - began, 1)
    run.log({"step": 0, "pictures": len(data), "on_other_pictures": missed, "seconds": seconds})


def _rounds(
    config: DistillConfig, run: RunFolder, group: Any, teacher: Any, student: Any, device: Any, began: float
) -> None:
    """Act and learn, round by round."""
    from policies.imitation.dagger import LearnSettings, gather, learn
    from policies.imitation.demonstrations import Demonstrations
    from policies.weights import read_weights, write_weights

    data, states = Demonstrations(run.path / "rounds"), run.path / "checkpoints"
    states.mkdir(exist_ok=True)
    done = len(list(states.glob("round_*.safetensors")))
    if done:
        read_weights(states / f"round_{done - 1:03d}.safetensors", student)
    student.eval()
    run.rewind_log(done)
    settings = LearnSettings(config.updates, config.batch_size, config.learning_rate)
    with progress("distill", config.rounds, "rounds", done) as advance:
        for number in range(done, config.rounds):
            entry: dict[str, Any] = {"step": number + 1}
            if len(data.rounds) == number:
                rng = np.random.default_rng([config.seed, number, 2])
                seeds = _seeds(config, number, 1, config.episodes)
                found, solved = gather(group, teacher, student, number > 0, seeds, rng)
                data.add(found)
                entry["actor"] = "student of the round before" if number else "teacher with noise"
                entry["success"] = to_plain(success_rate(solved, config.episodes))
            if number == 0 and student.eye is None:
                student.standardise(np.asarray(data.rounds[0]["seen"]))
            losses: list[float] = []

            def note_loss(_: int, loss: float, to: list[float] = losses) -> None:
                to.append(loss)

            learn(student, data, settings, config.seed * 1000 + number, device, note_loss)
            write_weights(states / f"round_{number:03d}.safetensors", student)
            entry |= {"demonstrations": len(data), "loss": float(np.mean(losses[-100:]))}
            run.log(entry | {"seconds": round(time.monotonic() - began, 1)})
            note = f"reached {100 * entry['success']['value']:.0f} %" if "success" in entry else ""
            advance(number + 1, note)


def _compare(config: DistillConfig, group: Any, teacher: Any, policy: Any) -> dict[str, Any]:
    """Return how often student and teacher reach the goal in the same fresh episodes."""
    from policies.group_episodes import play
    from policies.see_then_act import SeeThenAct

    fresh = [_EVALUATION_SEED + k for k in range(config.evaluate)]
    played = {
        "student": play(group, policy, fresh),
        "teacher": play(group, teacher, fresh, sees_state=True),
    }
    if policy.student.eye is not None:
        modular = SeeThenAct(policy.student, teacher, group.envs[0].task)
        played["see_then_act"] = play(group, modular, fresh)
    rates = {name: p.solved for name, p in played.items()}
    results = {name: to_plain(success_rate(count, config.evaluate)) for name, count in rates.items()}
    return {**results, "kept": rates["student"] / max(rates["teacher"], 1)}


def _check(config: DistillConfig) -> None:
    counts = "eye_episodes eye_updates rounds episodes updates batch_size envs evaluate threads"
    for name in counts.split():
        if getattr(config, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} must be 1 or more, got {getattr(config, name)}")
    for name in ("episodes", "evaluate"):
        if getattr(config, name) % config.envs:
            raise InputError(f"--{name} must be a multiple of --envs ({config.envs}), got {getattr(config, name)}")
    if config.seed < 0:
        raise InputError(f"--seed must be 0 or more, got {config.seed}")


def _seeds(config: DistillConfig, number: int, purpose: int, count: int) -> list[int]:
    """Return the seeds of some episodes."""
    rng = np.random.default_rng([config.seed, number, purpose])
    return [int(s) for s in rng.choice(_EVALUATION_SEED, count, replace=False)]


def _environment(config: DistillConfig, observation: str | None = None) -> Any:
    kind = observation or config.student
    kwargs: dict[str, Any] = {"observation": kind}
    if kind == "pixels":
        kwargs["image_size_px"] = config.image_size
    return make_environment(config.env, config.rig, config.randomization, **kwargs)


def _teacher(config: DistillConfig, probe: Any) -> Any:
    from policies.saved import load_policy
    from policies.scripted import make_expert

    if config.teacher == "expert":
        return make_expert(probe)
    seen = _environment(config, "state")
    try:
        return load_policy(Path(config.teacher), seen)
    finally:
        seen.close()
