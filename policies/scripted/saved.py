"""Experts with a style of their own, in a folder: expert_card.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration.errors import InputError
from calibration.records import read_record, write_record
from calibration.rig_file import load_rig
from envs.registration import DEFAULT_RIG, environment_table
from envs.tasks import make_task
from policies.scripted import make_expert
from policies.scripted.push import PushExpert, PushStyle
from policies.space_cards import BoxCard, box_of_card, check_spaces, observation_of_cards

CARD = "expert_card.json"


@dataclass(frozen=True)
class ExpertCard:
    """What an expert is and how it was made.

    Attributes:
        env: id of the environment that it was tuned in.
        rig: station, where the id names no arm.
        style: its settings.
        observation: spaces of the observation's parts.
        action: space of the action.
        trained_on: for people.
    """

    env: str
    rig: str | None
    style: PushStyle
    observation: dict[str, BoxCard]
    action: BoxCard
    trained_on: str


def save_expert(folder: Path, card: ExpertCard) -> None:
    """Write the card."""
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / CARD, card, {})


def load_expert(place: Path, env: Any = None) -> PushExpert:
    """Return the expert of a folder.

    Args:
        place: where the card is.
        env: in which it is to act; default: one as it was tuned in, with the same rig.

    Raises:
        InputError: a card that cannot be read, or an environment of another task or with other spaces.
    """
    card = read_record(place / CARD, ExpertCard)
    if env is None:
        name = card.env if card.env.startswith("sim2real/") else f"sim2real/{card.env}"
        given = environment_table()[name][1]
        return PushExpert(make_task(given["task"], load_rig(card.rig or given.get("rig", DEFAULT_RIG))), card.style)
    check_spaces(place, observation_of_cards(card.observation), box_of_card(card.action), env)
    expert = make_expert(env)
    if not isinstance(expert, PushExpert):
        raise InputError(f"policy {place} pushes, and the environment's task is {type(expert.task).__name__}")
    return PushExpert(expert.task, card.style)
