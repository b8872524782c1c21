"""Spaces of observations and actions as plain records, and the check that a policy fits an environment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from calibration.errors import InputError


@dataclass(frozen=True)
class BoxCard:
    """A box of numbers: shape, kind, and bounds, one for all elements or one for each."""

    shape: tuple[int, ...]
    dtype: str
    low: float | tuple[float, ...]
    high: float | tuple[float, ...]


def card_of_box(space: Any) -> BoxCard:
    """Return the record of a box.

    Raises:
        InputError: the space is none.
    """
    if not isinstance(space, spaces.Box):
        raise InputError(f"policies of Box spaces can be kept, got {space}")
    return BoxCard(tuple(space.shape), str(space.dtype), _bounds(space.low), _bounds(space.high))


def _bounds(values: NDArray[Any]) -> float | tuple[float, ...]:
    found = tuple(float(v) for v in values.ravel())
    return found[0] if len(set(found)) == 1 else found


def cards_of_observation(space: Any) -> dict[str, BoxCard]:
    """Return the records of an observation's parts; one named "" when it is no dict."""
    parts = space.spaces if isinstance(space, spaces.Dict) else {"": space}
    return {name: card_of_box(part) for name, part in parts.items()}


def box_of_card(card: BoxCard) -> spaces.Box:
    """Return the box of a record."""
    kind = np.dtype(card.dtype).type
    if isinstance(card.low, float) and isinstance(card.high, float):
        return spaces.Box(card.low, card.high, card.shape, dtype=kind)
    low, high = (np.broadcast_to(np.ravel(v), (math.prod(card.shape),)) for v in (card.low, card.high))
    return spaces.Box(low.reshape(card.shape).astype(kind), high.reshape(card.shape).astype(kind), dtype=kind)


def observation_of_cards(cards: dict[str, BoxCard]) -> spaces.Space[Any]:
    """Return the space whose records `cards_of_observation` made."""
    if "" in cards:
        return box_of_card(cards[""])
    return spaces.Dict({name: box_of_card(card) for name, card in cards.items()})


def check_spaces(folder: Path, observation: spaces.Space[Any], action: spaces.Space[Any], env: Any) -> None:
    """Check that a policy of these spaces can act in an environment.

    Raises:
        InputError: it cannot; both spaces are named.
    """
    for what, wanted, given in (
        ("observations", observation, env.observation_space),
        ("actions", action, env.action_space),
    ):
        if wanted not in (given, channels_first(given)):
            raise InputError(f"policy {folder} was trained with the {what} {wanted}; the environment has {given}")


def channels_first(space: Any) -> Any:
    """Return the space as Stable-Baselines3 hands it to a policy: pictures (3, H, W)."""
    if not isinstance(space, spaces.Dict):
        return space
    from stable_baselines3.common.vec_env import VecTransposeImage

    turned: dict[str, spaces.Space[Any]] = {}
    for name, part in space.spaces.items():
        image = isinstance(part, spaces.Box) and part.dtype == np.uint8 and len(part.shape) == 3
        turned[name] = VecTransposeImage.transpose_space(part, name) if image else part  # type: ignore[arg-type]
    return spaces.Dict(turned)
