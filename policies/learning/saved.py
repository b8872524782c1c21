"""Policies that Stable-Baselines3 trained, in a folder: weights.safetensors and policy_card.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gymnasium import spaces

from calibration.records import read_record, write_record
from policies.learning.extractor import BackboneExtractor
from policies.learning.models import algorithm_class
from policies.learning.privileged import TRUE_STATE, with_blind_actor, without_true_state
from policies.space_cards import (
    BoxCard,
    box_of_card,
    card_of_box,
    cards_of_observation,
    check_spaces,
    observation_of_cards,
)
from policies.weights import read_weights, write_weights

WEIGHTS, CARD = "weights.safetensors", "policy_card.json"


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
        backbone: that looks at pictures; empty for Stable-Baselines3's own network.
        privileged: whether its critic saw the true state, which its actor does without.
    """

    env: str
    algorithm: str
    net_arch: tuple[int, ...]
    observation: dict[str, BoxCard]
    action: BoxCard
    steps: int
    trained_on: str
    backbone: str = ""
    privileged: bool = False


def save_policy(folder: Path, model: Any, card: PolicyCard) -> None:
    """Write weights and card; the card comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / WEIGHTS, model.policy)
    write_record(folder / CARD, card, {})


def card_of(model: Any, env: str, algorithm: str, trained_on: str) -> PolicyCard:
    """Return the card of a model."""
    arch = model.policy_kwargs.get("net_arch") or ()
    return PolicyCard(
        env,
        algorithm,
        tuple(arch),
        cards_of_observation(model.observation_space),
        card_of_box(model.action_space),
        int(model.num_timesteps),
        trained_on,
        str(model.policy_kwargs.get("features_extractor_kwargs", {}).get("backbone", "")),
        TRUE_STATE in getattr(model.observation_space, "spaces", {}),
    )


def load_learned(place: Path, env: Any = None) -> Any:
    """Return the policy of a folder; it has Stable-Baselines3's `predict`.

    Args:
        place: where weights and card are.
        env: in which it is to act, when its spaces are to be checked.

    Raises:
        InputError: files that do not fit each other, or an environment with other spaces.
    """
    card = read_record(place / CARD, PolicyCard)
    observation, action = observation_of_cards(card.observation), box_of_card(card.action)
    if env is not None:
        needed = observation
        if card.privileged and isinstance(observation, spaces.Dict):
            needed = without_true_state(observation)
        check_spaces(place, needed, action, env)
    kind = algorithm_class(card.algorithm)
    policy_class = kind.policy_aliases["MlpPolicy" if "" in card.observation else "MultiInputPolicy"]
    kwargs: dict[str, Any] = {"net_arch": list(card.net_arch)} if card.net_arch else {}
    if card.algorithm == "ppo":
        kwargs["use_sde"] = False
    if card.backbone:
        kwargs["features_extractor_class"] = BackboneExtractor
        kwargs["features_extractor_kwargs"] = {"backbone": card.backbone}
    if card.privileged:
        policy_class = with_blind_actor(policy_class)
    policy = policy_class(observation, action, lambda _: 0.0, **kwargs)
    read_weights(place / WEIGHTS, policy)
    policy.set_training_mode(False)
    return policy
