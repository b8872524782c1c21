"""Trained policies in a folder: weights.safetensors and policy_card.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from safetensors.torch import load_file, save

from calibration.errors import InputError
from calibration.records import read_record, write_bytes, write_record
from policies.learning.models import algorithm_class

WEIGHTS, CARD = "weights.safetensors", "policy_card.json"


@dataclass(frozen=True)
class BoxCard:
    """A box of numbers: shape, kind and the bounds that all of its elements have."""

    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float


@dataclass(frozen=True)
class PolicyCard:
    """What a policy is and how it was made.

    Attributes:
        env: id of the environment that it was trained in.
        algorithm: by name.
        net_arch: units of the hidden layers; empty for the algorithm's own.
        observation: spaces of the observation's parts; one named "" when it is no dict.
        action: space of the action.
        steps: of training.
        trained_on: for people.
    """

    env: str
    algorithm: str
    net_arch: tuple[int, ...]
    observation: dict[str, BoxCard]
    action: BoxCard
    steps: int
    trained_on: str


def save_policy(folder: Path, model: Any, card: PolicyCard) -> None:
    """Write weights and card; the card comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in model.policy.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(state))
    write_record(folder / CARD, card, {})


def card_of(model: Any, env: str, algorithm: str, trained_on: str) -> PolicyCard:
    """Return the card of a model."""
    space = model.observation_space
    parts = space.spaces if isinstance(space, spaces.Dict) else {"": space}
    arch = model.policy_kwargs.get("net_arch") or ()
    return PolicyCard(
        env,
        algorithm,
        tuple(arch),
        {name: _card(part) for name, part in parts.items()},
        _card(model.action_space),
        int(model.num_timesteps),
        trained_on,
    )


def load_policy(folder: Path, env: Any = None) -> Any:
    """Return the policy of a training run or of a policy's folder; it has Stable-Baselines3's `predict`.

    Args:
        folder: of either.
        env: in which it is to act, when its spaces are to be checked.

    Raises:
        InputError: no finished policy there, files that do not fit each other, or an environment with other spaces.
    """
    place = folder / "policy" if (folder / "policy").is_dir() else folder
    if not (place / CARD).is_file():
        unfinished = (folder / "config.json").is_file()
        hint = "the run is not finished; rerun it with --resume" if unfinished else f"it has no {CARD}"
        raise InputError(f"policy must be a folder made by `sim2real train`, got {folder}: {hint}")
    card = read_record(place / CARD, PolicyCard)
    parts: dict[str, spaces.Space[Any]] = {name: _space(part) for name, part in card.observation.items()}
    observation = parts[""] if "" in parts else spaces.Dict(parts)
    action = _space(card.action)
    if env is not None:
        for what, wanted, given in (
            ("observations", observation, env.observation_space),
            ("actions", action, env.action_space),
        ):
            if wanted not in (given, _channels_first(given)):
                raise InputError(f"policy {folder} was trained with the {what} {wanted}; the environment has {given}")
    kind = algorithm_class(card.algorithm)
    policy_class = kind.policy_aliases["MlpPolicy" if "" in parts else "MultiInputPolicy"]
    kwargs: dict[str, Any] = {"net_arch": list(card.net_arch)} if card.net_arch else {}
    if card.algorithm == "ppo":
        kwargs["use_sde"] = False
    policy = policy_class(observation, action, lambda _: 0.0, **kwargs)
    try:
        policy.load_state_dict(load_file(place / WEIGHTS))
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"cannot read the policy's weights {place / WEIGHTS}: {error}") from None
    policy.set_training_mode(False)
    return policy


def _card(space: Any) -> BoxCard:
    if not isinstance(space, spaces.Box):
        raise InputError(f"policies of Box spaces can be kept, got {space}")
    return BoxCard(tuple(space.shape), str(space.dtype), float(space.low.min()), float(space.high.max()))


def _space(card: BoxCard) -> spaces.Box:
    return spaces.Box(card.low, card.high, card.shape, dtype=np.dtype(card.dtype).type)


def _channels_first(space: Any) -> Any:
    """Return the space as Stable-Baselines3 hands it to a policy: pictures (3, H, W)."""
    if not isinstance(space, spaces.Dict):
        return space
    from stable_baselines3.common.vec_env import VecTransposeImage

    turned: dict[str, spaces.Space[Any]] = {}
    for name, part in space.spaces.items():
        image = isinstance(part, spaces.Box) and part.dtype == np.uint8 and len(part.shape) == 3
        turned[name] = VecTransposeImage.transpose_space(part, name) if image else part  # type: ignore[arg-type]
    return spaces.Dict(turned)
