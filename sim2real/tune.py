"""Search for the settings of a scripted expert in drawn worlds; goes on after any interruption."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.records import read_json, to_plain, write_json
from policies.evaluation import SuccessRate, success_rate
from sim2real.environments import make_environment
from sim2real.policy_configs import TuneConfig
from sim2real.progress import progress
from sim2real.runs import FINISHED, RunFolder

# Seeds of the episodes at the end begin here; those of rounds lie below.
_EVALUATION_SEED = 1_000_000_000
# Spread of the first candidates, as a share of each setting's range.
_SPREAD = 0.2

Float = NDArray[np.float64]


def tune(config: TuneConfig) -> str:
    """Search, write the expert as a policy, and return the run's folder and what was reached.

    Settings are searched on a logarithmic scale within their ranges. A candidate's score is the mean over episodes of
    the share of the horizon that is left when the goal is reached. All candidates of a round have the same episodes.

    Raises:
        InputError: a setting that cannot be, an expert without settings, an output folder that is taken, or another run
            to resume.
    """
    from envs.arm.group import ArmGroup
    from policies.scripted.cross_entropy import SearchState, improve, propose
    from policies.scripted.push import PushExpert, PushStyle
    from policies.scripted.saved import ExpertCard, save_expert
    from policies.space_cards import card_of_box, cards_of_observation

    _check(config)
    task = _checked_task(config)
    run = RunFolder.create(config.out, config, config.resume)
    if run.finished:
        return _said(run)
    ranges = PushStyle.ranges()
    low, high = np.log(np.array(list(ranges.values()))).T

    def style_of(place: Float) -> PushStyle:
        return PushStyle(**dict(zip(ranges, np.exp(low + place * (high - low)).tolist(), strict=True)))

    start = np.log([getattr(PushStyle(), name) for name in ranges])
    state = SearchState((start - low) / (high - low), np.full(len(low), _SPREAD))
    states = run.path / "checkpoints"
    states.mkdir(exist_ok=True)
    done = len(list(states.glob("round_*.json")))
    if done:
        kept = read_json(states / f"round_{done - 1:03d}.json")
        state = SearchState(np.array(kept["mean"]), np.array(kept["std"]))
    run.rewind_log(done)
    group = ArmGroup(lambda: make_environment(config.env, config.rig, config.randomization).unwrapped, config.envs)
    began = time.monotonic()
    try:
        with progress("tune", config.rounds * config.candidates, "candidates", done * config.candidates) as advance:
            for number in range(done, config.rounds):
                rng = np.random.default_rng([config.seed, number])
                candidates = propose(state, config.candidates, rng)
                seeds = [int(s) for s in rng.choice(_EVALUATION_SEED, config.episodes, replace=False)]
                scores, rates = np.zeros(len(candidates)), np.zeros(len(candidates))
                for k, place in enumerate(candidates):
                    scores[k], rates[k] = _score(group, PushExpert(task, style_of(place)), seeds)
                    advance(number * config.candidates + k + 1, f"best of the round {100 * rates.max():.0f} %")
                state = improve(state, candidates, scores)
                entry = {"step": number + 1, "scores": scores.tolist(), "success": rates.tolist()}
                run.log(
                    entry | {"style": to_plain(style_of(state.mean)), "seconds": round(time.monotonic() - began, 1)}
                )
                plain = {"mean": state.mean.tolist(), "std": state.std.tolist()}
                write_json(states / f"round_{number:03d}.json", plain)
        style = style_of(state.mean)
        fresh = [_EVALUATION_SEED + k for k in range(config.evaluate)]
        found = {
            name: _success(group, expert, fresh)
            for name, expert in {"tuned": PushExpert(task, style), "before": PushExpert(task)}.items()
        }
        spaces = group.envs[0].observation_space, group.envs[0].action_space
        text = (
            f"{config.rounds} rounds of {config.candidates} candidates in {config.randomization or 'the nominal world'}"
        )
        cards = cards_of_observation(spaces[0]), card_of_box(spaces[1])
        save_expert(run.path / "policy", ExpertCard(config.env, config.rig, style, *cards, text))
        run.finish({**found, "seconds": round(time.monotonic() - began, 1)})
    finally:
        group.close()
    return _said(run)


def _score(group: Any, expert: Any, seeds: Sequence[int]) -> tuple[float, float]:
    """Return the mean share of the horizon that is left at the goal, and the share of episodes that reach it."""
    from policies.group_episodes import play

    played = play(group, expert, seeds)
    left = 1.0 - played.steps / group.envs[0].task.horizon
    return float(left.mean()), played.solved / len(seeds)


def _success(group: Any, expert: Any, seeds: Sequence[int]) -> Any:
    from policies.group_episodes import play

    return to_plain(success_rate(play(group, expert, seeds).solved, len(seeds)))


def _said(run: RunFolder) -> str:
    kept = read_json(run.path / FINISHED)
    tuned, before = (SuccessRate(**kept[name]) for name in ("tuned", "before"))
    return f"{run.path}; success {tuned}; with the settings set by hand {before}"


def _check(config: TuneConfig) -> None:
    for name, least in (("rounds", 1), ("candidates", 4), ("episodes", 1), ("envs", 1), ("evaluate", 1), ("seed", 0)):
        if getattr(config, name) < least:
            raise InputError(f"--{name} must be {least} or more, got {getattr(config, name)}")
    for name in ("episodes", "evaluate"):
        if getattr(config, name) % config.envs:
            raise InputError(f"--{name} must be a multiple of --envs ({config.envs}), got {getattr(config, name)}")


def _checked_task(config: TuneConfig) -> Any:
    """Return the task of the environment, whose expert has settings."""
    from policies.scripted import make_expert
    from policies.scripted.push import PushExpert

    probe = make_environment(config.env, config.rig, config.randomization)
    try:
        expert = make_expert(probe)
    finally:
        probe.close()
    if not isinstance(expert, PushExpert):
        name = type(expert.task).__name__
        raise InputError(f"--env must be one of Push, whose expert has settings to tune, got {config.env} ({name})")
    return expert.task
