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
    from policies.device import pick_device
    from policies.imitation.dagger import LearnSettings, count_solved, gather, learn
    from policies.imitation.demonstrations import Demonstrations
    from policies.imitation.saved import StudentCard, read_weights, save_student, write_weights
    from policies.imitation.student import Student, StudentPolicy, StudentSpec
    from policies.space_cards import card_of_box, cards_of_observation

    device = pick_device(config.device)
    run = RunFolder.create(config.out, config, config.resume)
    if run.finished:
        probe.close()
        return run.path
    torch.set_num_threads(config.threads)
    inner = probe.unwrapped
    vectors = inner.observation_space["observation"].shape[0] + inner.observation_space["desired_goal"].shape[0]
    pixels = config.student == "pixels"
    spec = StudentSpec(
        vectors, inner.controller.size, config.image_size if pixels else None, 3 * len(inner.task.objects)
    )
    torch.manual_seed(config.seed)
    student = Student(spec).to(device)
    data = Demonstrations(run.path / "demonstrations")
    states = run.path / "checkpoints"
    states.mkdir(exist_ok=True)
    done = len(sorted(states.glob("round_*.safetensors")))
    if done:
        read_weights(states / f"round_{done - 1:03d}.safetensors", student)
    run.rewind_log(done)
    looks = world_source(inner.rig, config.randomization).many if config.randomization and pixels else None
    began = time.monotonic()
    total = config.rounds * config.updates
    group = ArmGroup(lambda: _environment(config).unwrapped, config.envs, config.threads)
    try:
        with progress("distill", total, "updates", done * config.updates) as advance:
            for number in range(done, config.rounds):
                policy = None if number == 0 else StudentPolicy(student)
                solved: int | None = None
                if len(data.rounds) == number:
                    rng = np.random.default_rng([config.seed, number])
                    found, solved = gather(group, teacher, policy, _seeds(config, number), rng, looks)
                    data.add(found)
                if number == 0:
                    student.standardise(np.asarray(data.rounds[0]["vectors"]))
                gathered = time.monotonic() - began
                losses: list[float] = []

                def step(updates: int, loss: float, first: int = number * config.updates, to: Any = losses) -> None:
                    to.append(loss)
                    advance(first + updates, f"loss {np.mean(to[-100:]):.4f}")

                settings = LearnSettings(config.updates, config.batch_size, config.learning_rate)
                learn(student, data, settings, config.seed * 1000 + number, device, step)
                write_weights(states / f"round_{number:03d}.safetensors", student)
                entry: dict[str, Any] = {"step": number + 1, "demonstrations": len(data)}
                if solved is not None:
                    entry["actor"] = "teacher with noise" if number == 0 else "student of the round before"
                    entry["success"] = to_plain(success_rate(solved, config.episodes))
                entry |= {"loss": float(np.mean(losses[-100:]))}
                entry |= {"gathered_s": round(gathered, 1), "seconds": round(time.monotonic() - began, 1)}
                run.log(entry)
        learned = time.monotonic() - began
        fresh = [_EVALUATION_SEED + k for k in range(config.evaluate)]
        policy = StudentPolicy(student)
        rates = {
            "student": count_solved(group, lambda: policy.predict(group.observe())[0], fresh),
            "teacher": count_solved(group, lambda: teacher.predict(group.true_observation())[0], fresh),
        }
        text = f"{config.rounds} rounds of {config.episodes} episodes from {config.teacher}"
        boxes = cards_of_observation(inner.observation_space), card_of_box(inner.action_space)
        save_student(run.path / "policy", student, StudentCard(config.env, spec, *boxes, text))
        results = {name: to_plain(success_rate(count, config.evaluate)) for name, count in rates.items()}
        run.finish({**results, "kept": rates["student"] / max(rates["teacher"], 1), "seconds": round(learned, 1)})
        shutil.rmtree(data.folder)
    finally:
        group.close()
        probe.close()
    return run.path


def _check(config: DistillConfig) -> None:
    for name in ("rounds", "episodes", "updates", "batch_size", "envs", "evaluate", "threads"):
        if getattr(config, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} must be 1 or more, got {getattr(config, name)}")
    for name in ("episodes", "evaluate"):
        if getattr(config, name) % config.envs:
            raise InputError(f"--{name} must be a multiple of --envs ({config.envs}), got {getattr(config, name)}")
    if config.seed < 0:
        raise InputError(f"--seed must be 0 or more, got {config.seed}")


def _seeds(config: DistillConfig, number: int) -> list[int]:
    """Return the seeds of a round's episodes."""
    rng = np.random.default_rng([config.seed, number, 1])
    return [int(s) for s in rng.choice(_EVALUATION_SEED, config.episodes, replace=False)]


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
