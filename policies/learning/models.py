"""Stable-Baselines3's algorithms by name, with hindsight replay for goal tasks."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from calibration.errors import InputError
from policies.learning.privileged import with_blind_actor
from policies.learning.settings import ALGORITHMS, OFF_POLICY, Algorithm, settings_for


@dataclass(frozen=True)
class Vision:
    """What looks at pictures in place of Stable-Baselines3's own network; fields as of `BackboneExtractor`."""

    backbone: str
    weights: str | None = None
    rate: float = 0.0


def algorithm_class(name: str) -> Any:
    """Return the class of an algorithm.

    Raises:
        InputError: there is none of this name.
    """
    if name not in ALGORITHMS:
        raise InputError(f"algo must be one of {', '.join(ALGORITHMS)}, got '{name}'")
    if name == "tqc":
        from sb3_contrib import TQC

        return TQC
    import stable_baselines3

    return getattr(stable_baselines3, name.upper())


def make_model(
    algorithm: Algorithm,
    env: VecEnv,
    task: str,
    hindsight: bool,
    seed: int,
    device: str,
    log: Path | None,
    vision: Vision | None = None,
    privileged: bool = False,
) -> Any:
    """Return an untrained model.

    Args:
        algorithm: by name.
        env: to learn in.
        task: name of the task, which chooses the settings.
        hindsight: relabel what happened with goals that were reached (Andrychowicz et al. 2017), four a transition.
        seed: of weights, exploration and sampling.
        device: of torch.
        log: folder for TensorBoard.
        vision: looks at pictures.
        privileged: whether only the critic sees the true state, which the environment then shows.

    Raises:
        InputError: the algorithm does not fit the action space or the observations.
    """
    kind = algorithm_class(algorithm)
    if algorithm in OFF_POLICY and not isinstance(env.action_space, spaces.Box):
        raise InputError(f"algo {algorithm} needs continuous actions (Box), got {env.action_space}; take ppo")
    space = env.observation_space
    policy = "MultiInputPolicy" if isinstance(space, spaces.Dict) else "MlpPolicy"
    # A deep copy, since Stable-Baselines3 writes into what it is given.
    kwargs = copy.deepcopy(dict(settings_for(algorithm, task)))
    if hindsight:
        if algorithm not in OFF_POLICY:
            raise InputError(f"hindsight needs one of {', '.join(OFF_POLICY)}, got {algorithm}; add --no-hindsight")
        if not isinstance(space, spaces.Dict) or "achieved_goal" not in space.spaces:
            raise InputError("hindsight needs observations with achieved_goal; add --no-hindsight")
        from stable_baselines3 import HerReplayBuffer

        kwargs["replay_buffer_class"] = HerReplayBuffer
        kwargs["replay_buffer_kwargs"] = {"n_sampled_goal": 4, "goal_selection_strategy": "future"}
    if vision is not None:
        _look_through(kwargs, vision, algorithm)
    chosen: Any = policy
    if privileged:
        if algorithm not in OFF_POLICY:
            raise InputError(f"--privileged needs one of {', '.join(OFF_POLICY)}, got {algorithm}")
        chosen = with_blind_actor(kind.policy_aliases[policy])
    return kind(chosen, env, seed=seed, device=device, tensorboard_log=None if log is None else str(log), **kwargs)


def _look_through(kwargs: dict[str, Any], vision: Vision, algorithm: Algorithm) -> None:
    """Put a backbone into the arguments of an algorithm."""
    from policies.learning.extractor import AdamByPart, BackboneExtractor

    own: dict[str, Any] = kwargs.setdefault("policy_kwargs", {})
    own["features_extractor_class"] = BackboneExtractor
    own["features_extractor_kwargs"] = dataclasses.asdict(vision)
    if vision.rate not in (0.0, 1.0):
        own["optimizer_class"] = AdamByPart
    if algorithm == "ppo":
        # Or its weights would be drawn anew.
        own["ortho_init"] = False
