"""Train a policy: learn, evaluate, keep; goes on after any interruption."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.records import to_plain
from policies.evaluation import EpisodeRecord, SuccessRate, run_episodes, success_rate
from policies.space_cards import card_of_box, cards_of_observation
from sim2real.environments import environment_settings, make_environment
from sim2real.policy_configs import TrainConfig
from sim2real.progress import Advance, progress
from sim2real.runs import RunFolder
from sim2real.videos import VideoFile

if TYPE_CHECKING:
    from policies.learning.best import BestPolicy

# Seeds of evaluation episodes begin here; those of training are drawn from all of 31 bits, so one in a million is met.
_EVALUATION_SEED = 1_000_000


def train(config: TrainConfig) -> Path:
    """Train and return the run's folder.

    Raises:
        InputError: a setting that cannot be, an output folder that is taken, or another run to resume.
    """
    for name in ("steps", "envs", "episodes", "evaluate_every", "save_every", "threads"):
        if getattr(config, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} must be 1 or more, got {getattr(config, name)}")
    if config.demonstrations and config.algo == "ppo":
        raise InputError("--demonstrations needs sac, td3 or tqc, which keep what happened, got ppo")
    for name in ("seed", "workers", "demonstrations"):
        if getattr(config, name) < 0:
            raise InputError(f"--{name} must be 0 or more, got {getattr(config, name)}")
    if not 0.0 <= config.ramp <= 1.0 or (config.ramp > 0.0 and config.randomization is None):
        raise InputError(f"--ramp must be 0 to 1, and needs --randomization, got {config.ramp:g}")
    if config.privileged and config.workers:
        raise InputError("--privileged needs --workers 0")
    if config.backbone_rate < 0.0:
        raise InputError(f"--backbone-rate must be 0 or more, got {config.backbone_rate:g}")
    probe = _environment(config, None)
    probe.close()
    # What cannot be kept is said before anything is learned.
    cards_of_observation(probe.observation_space)
    card_of_box(probe.action_space)

    import torch
    from stable_baselines3.common.callbacks import CallbackList
    from stable_baselines3.common.logger import configure

    from policies.device import pick_device
    from policies.learning.best import BestPolicy
    from policies.learning.demonstrations import demonstrate
    from policies.learning.interruption import SaveStates, first_episode, load_state, save_state
    from policies.learning.models import Vision, make_model
    from policies.learning.ramp import RampRandomization, strength_at
    from policies.learning.saved import card_of, save_policy
    from policies.scripted import make_expert

    device = str(pick_device(config.device))
    run = RunFolder.create(config.out, config, config.resume)
    if run.finished:
        return run.path
    torch.set_num_threads(config.threads)
    states, first = run.path / "checkpoints", first_episode(run.path / "checkpoints")

    env = _training_envs(config, first)
    test = _environment(config, config.randomization)
    try:
        curves = run.path / "tensorboard"
        model = load_state(states, config.algo, env, device, None)
        if model is None:
            task = type(getattr(test.unwrapped, "task", test.unwrapped)).__name__
            use_hindsight = config.hindsight and config.algo != "ppo"
            vision = None
            if config.backbone is not None:
                vision = Vision(config.backbone, config.backbone_weights, config.backbone_rate)
            model = make_model(
                config.algo, env, task, use_hindsight, config.seed, device, None, vision, config.privileged
            )
            if config.demonstrations:
                shown = demonstrate(model, env, make_expert(test), config.demonstrations)
                run.log({"step": 0, "demonstrations": config.demonstrations, "success_of_expert": shown})
        model.set_logger(configure(str(curves), ["tensorboard"]))
        run.rewind_log(model.num_timesteps)
        with progress("train", config.steps, "steps", model.num_timesteps) as advance:
            best = BestPolicy(run.path / "best") if config.keep == "best" else None
            watch = _watcher(config, run, test, advance, best)
            left = config.steps - model.num_timesteps
            if left > 0:
                callbacks = [SaveStates(states, config.save_every), watch]
                if config.ramp > 0.0:
                    # The first reset of what goes on is as after the last step.
                    begin = strength_at(max(model.num_timesteps - 1, 0), config.steps, config.ramp)
                    env.env_method("set_strength", begin)
                    callbacks.append(RampRandomization(config.steps, config.ramp))
                model.learn(left, CallbackList(callbacks), reset_num_timesteps=False, log_interval=10)
        rate, policy, kept = watch.score(model), model, model.num_timesteps
        if best is None:
            save_policy(run.path / "policy", model, card_of(model, config.env, config.algo, f"{kept} steps"))
        else:
            policy, kept = best.take(run.path / "policy")
            # It was chosen by the episodes of the evaluations, so those say too much of it.
            fresh = _episodes(policy, test, _EVALUATION_SEED + config.episodes, config.episodes)
            rate = _success(fresh)
        save_state(states, model, max(env.get_attr("episode")))
        if config.videos:
            _film(config, run, policy)
        run.finish(
            {"steps": model.num_timesteps, "kept_step": kept, "success": to_plain(rate), "seconds": watch.seconds}
        )
        model.logger.close()
    finally:
        env.close()
        test.close()
    return run.path


def _environment(
    config: TrainConfig, randomization: str | None, render_mode: str | None = None, privileged: bool = False
) -> Any:
    kwargs = _settings(config) | ({} if render_mode is None else {"render_mode": render_mode})
    env = make_environment(config.env, config.rig, randomization, **kwargs)
    if privileged:
        from policies.learning.privileged import WithTrueState

        return WithTrueState(env)
    return env


def _settings(config: TrainConfig) -> dict[str, Any]:
    """Return what is asked of the environment beyond the defaults."""
    kwargs: dict[str, Any] = {} if config.reward == "sparse" else {"reward": config.reward}
    if config.observation != "state":
        kwargs |= {"observation": config.observation, "image_size_px": config.image_size, "cameras": config.cameras}
    return kwargs


def _training_envs(config: TrainConfig, first: int) -> Any:
    """Return the environments to learn in; they begin with episode number `first`."""
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

    from policies.learning.episodes import NumberedEpisodes, episode_seed

    def one(k: int) -> Any:
        return lambda: Monitor(
            NumberedEpisodes(
                _environment(config, config.randomization, None, config.privileged), config.seed + 7919 * k, first
            )
        )

    if config.workers == 0:
        return DummyVecEnv([one(k) for k in range(config.envs)])

    from policies.learning.workers import ArmVecEnv

    _, kwargs = environment_settings(config.env, config.rig, config.randomization, **_settings(config))
    vector = ArmVecEnv(config.envs, config.workers, **kwargs)
    vector.seed(episode_seed(config.seed, first))
    vector.episodes[:] = first - 1
    return VecMonitor(vector)


def _watcher(config: TrainConfig, run: RunFolder, test: Any, advance: Advance, best: BestPolicy | None) -> Any:
    """Return a callback that evaluates, logs, keeps the best policy if there is a place for it, and moves the bar."""
    from stable_baselines3.common.callbacks import BaseCallback

    from policies.learning.best import Score
    from policies.learning.saved import card_of

    class Watch(BaseCallback):
        def __init__(self) -> None:
            super().__init__()
            self.began = time.monotonic()
            self.seconds = 0.0
            self.due = 0
            self.note = ""
            self.last: tuple[int, SuccessRate] | None = None

        def _on_training_start(self) -> None:
            self.due = (self.num_timesteps // config.evaluate_every + 1) * config.evaluate_every

        def _on_step(self) -> bool:
            advance(min(self.num_timesteps, config.steps), self.note)
            return not (self.last is not None and self.last[1].value >= config.stop_at)

        def _on_rollout_start(self) -> None:
            if self.num_timesteps >= self.due:
                self.due += config.evaluate_every
                self.score(self.model)

        def score(self, model: Any) -> SuccessRate:
            if self.last is not None and self.last[0] == model.num_timesteps:
                return self.last[1]
            records = _episodes(model, test, _EVALUATION_SEED, config.episodes)
            rate = _success(records)
            self.seconds = time.monotonic() - self.began
            entry = {"step": model.num_timesteps, "seconds": round(self.seconds, 1), "success": to_plain(rate)}
            total = float(np.mean([r.total for r in records]))
            run.log({**entry, "return": total})
            if best is not None:
                score = Score(rate.value, total, model.num_timesteps)
                best.offer(model, card_of(model, config.env, config.algo, ""), score)
            self.note, self.last = f"success {rate}", (model.num_timesteps, rate)
            return rate

    return Watch()


def _episodes(policy: Any, env: Any, first: int, count: int) -> list[EpisodeRecord]:
    return run_episodes(policy, env, [first + k for k in range(count)])


def _success(records: list[EpisodeRecord]) -> SuccessRate:
    return success_rate(sum(r.success for r in records), len(records))


def _film(config: TrainConfig, run: RunFolder, model: Any) -> None:
    """Write videos of the first evaluation episodes."""
    shown = _environment(config, config.randomization, "rgb_array")
    files: dict[int, VideoFile] = {}

    def watch(number: int, picture: NDArray[np.uint8]) -> None:
        if number not in files:
            files[number] = VideoFile(run.path / "videos" / f"episode_{number:03d}.mp4", 25.0)
        files[number].write(picture)

    run_episodes(model, shown, [_EVALUATION_SEED + k for k in range(config.videos)], watch=watch)
    for file in files.values():
        file.close()
    shown.close()
