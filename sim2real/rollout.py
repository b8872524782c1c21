"""Let a policy act: records of the episodes, and a video of them side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.records import to_plain, write_json, write_text
from calibration.world import WorldParams, changed_values, paths
from envs.standin.station import NAME, Station
from policies.evaluation import EpisodeRecord, run_episodes, success_rate
from sim2real.environments import check_held_out, make_environment
from sim2real.gap.held_out import EPISODES, StationResult, at_stations, said_of, summary_of
from sim2real.policy_configs import RolloutConfig
from sim2real.progress import progress
from sim2real.runs import system_info
from sim2real.videos import VideoFile

# Episodes in the video at most, and how bright those are that have ended.
_SHOWN, _ENDED = 16, 0.6
_REACHED_RGB, _MISSED_RGB = (40, 170, 70), (200, 60, 50)


def rollout(config: RolloutConfig) -> str:
    """Run the episodes, write episodes.jsonl, summary.json and grid.mp4, and return what came of it in a line.

    With pretend stations also held_out.jsonl and held_out.json: the same policy in the held-out simulation.

    Raises:
        InputError: a setting that cannot be, or a policy that does not fit the environment.
    """
    episodes = config.episodes if config.episodes is not None else EPISODES if config.held_out else _SHOWN
    for name, value in (("episodes", episodes), ("width", config.width)):
        if value < 1:
            raise InputError(f"--{name} must be 1 or more, got {value}")
    for name, value in (("seed", config.seed), ("held-out", config.held_out)):
        if value < 0:
            raise InputError(f"--{name} must be 0 or more, got {value}")
    if config.out.exists():
        raise InputError(f"output folder must be new, got {config.out}; choose another --out")
    if config.held_out:
        check_held_out(config.env)
    stations = [Station(k, config.difficulty) for k in range(config.held_out)]
    kwargs, make_policy = actor(config)
    env = make_environment(config.env, config.rig, config.randomization, render_mode="rgb_array", **kwargs)
    shown: list[list[NDArray[np.uint8]]] = [[] for _ in range(min(episodes, _SHOWN) if config.video else 0)]

    def watch(number: int, picture: NDArray[np.uint8]) -> None:
        height = round(picture.shape[0] * config.width / picture.shape[1])
        small: Any = cv2.resize(picture, (config.width, height), interpolation=cv2.INTER_AREA)
        shown[number].append(small)

    records: list[EpisodeRecord] = []
    best = not config.stochastic
    try:
        policy = make_policy(env)
        with progress("rollout", episodes, "episodes") as advance:
            for k in range(episodes):
                look = (lambda _, picture, to=k: watch(to, picture)) if k < len(shown) else None
                records += run_episodes(policy, env, [config.seed + k], best, look)
                advance(k + 1)
        rate = success_rate(sum(r.success for r in records), len(records))
        results: list[StationResult] = []
        if stations:
            with progress(NAME, episodes * len(stations), "episodes") as advance:
                results = at_stations(
                    make_policy, config.env, stations, episodes, config.seed, config.rig, best, advance, **kwargs
                )
        config.out.mkdir(parents=True)
        task = getattr(env.unwrapped, "task", None)
        nominal = {} if task is None else paths(task.nominal_world())
        lines = [_line(r, nominal) for r in records]
        write_text(config.out / "episodes.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        settings = {"config": to_plain(config), "system": system_info()}
        write_json(config.out / "summary.json", {"success": to_plain(rate), **settings})
        if shown:
            _write_grid(config.out / "grid.mp4", shown, [r.success for r in records])
        said = f"success {rate}"
        if results:
            _write_held_out(config, to_plain(rate), results, nominal, settings)
            said += f"; {said_of(results)}"
    finally:
        env.close()
    return f"{said}; {config.out}"


def actor(config: RolloutConfig) -> tuple[dict[str, Any], Callable[[Any], Any]]:
    """Return the keyword arguments of environments that the policy can act in, and what makes it for one of them.

    Raises:
        InputError: no policy there; the second also where they do not fit each other.
    """
    from policies.imitation.student import StudentPolicy
    from policies.saved import load_policy
    from policies.scripted import make_expert
    from policies.see_then_act import SeeThenAct

    given = None if config.policy == "expert" else load_policy(Path(config.policy))
    eyes = given if config.see is None else load_policy(config.see)
    if config.see is not None and (not isinstance(eyes, StudentPolicy) or eyes.student.eye is None):
        raise InputError(f"--see must be a run of `sim2real distill` with pictures, got {config.see}")
    size = eyes.student.spec.image_size_px if isinstance(eyes, StudentPolicy) else None
    kwargs: dict[str, Any] = {} if size is None else {"observation": "pixels", "image_size_px": size}

    def make_policy(env: Any) -> Any:
        policy = given
        if policy is None:
            policy = make_expert(env)
        elif config.see is None:
            load_policy(Path(config.policy), env)
        else:
            seen = make_environment(config.env, config.rig)
            try:
                load_policy(Path(config.policy), seen)
            finally:
                seen.close()
        if config.see is not None and eyes is not None:
            load_policy(config.see, env)
            policy = SeeThenAct(eyes.student, policy, env.unwrapped.task)
        return policy

    return kwargs, make_policy


def _write_held_out(
    config: RolloutConfig, source: Any, results: list[StationResult], nominal: dict[str, Any], settings: dict[str, Any]
) -> None:
    """Write what happened at the stations, each line and number under the name of the held-out simulation."""
    lines = [{"station": one.station.name, **_line(r, nominal)} for one in results for r in one.records]
    write_text(config.out / "held_out.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    summary = summary_of(results, config.difficulty)
    write_json(config.out / "held_out.json", {**summary, "source": source, **settings})


def _line(record: EpisodeRecord, nominal: dict[str, Any]) -> dict[str, Any]:
    """Return a record for the file, with what its world has other than the nominal one."""
    world = record.world
    plain: dict[str, Any] = to_plain(replace(record, world=None))
    if not isinstance(world, WorldParams):
        return {**plain, "world": to_plain(world)}
    return {**plain, "world": to_plain(changed_values(world, nominal)), "noise_seed": world.noise_seed}


def _write_grid(path: Path, shown: list[list[NDArray[np.uint8]]], reached: list[bool]) -> None:
    """Write the episodes side by side; one that has ended stays, darker, with a border for how it ended."""
    columns = math.ceil(math.sqrt(len(shown)))
    height, width = shown[0][0].shape[:2]
    video = VideoFile(path, 25.0)
    for k in range(max(map(len, shown))):
        sheet = np.zeros((height * math.ceil(len(shown) / columns), width * columns, 3), np.uint8)
        for number, pictures in enumerate(shown):
            picture = pictures[min(k, len(pictures) - 1)]
            if k >= len(pictures) - 1:
                picture = (picture * _ENDED).astype(np.uint8)
                colour = _REACHED_RGB if reached[number] else _MISSED_RGB
                picture[:3], picture[-3:], picture[:, :3], picture[:, -3:] = (colour,) * 4
            row, column = divmod(number, columns)
            sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
        video.write(sheet)
    video.close()
