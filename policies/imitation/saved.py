"""Students in a folder: weights.safetensors and student_card.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration.records import read_record, write_record
from policies.imitation.student import Student, StudentPolicy, StudentSpec
from policies.space_cards import BoxCard, box_of_card, check_spaces, observation_of_cards
from policies.weights import read_weights, write_weights

WEIGHTS, CARD = "weights.safetensors", "student_card.json"


@dataclass(frozen=True)
class StudentCard:
    """What a student is and how it was made.

    Attributes:
        env: id of the environment that it learned in.
        spec: how to build it.
        observation: spaces of the observation's parts.
        action: space of the action.
        trained_on: for people.
    """

    env: str
    spec: StudentSpec
    observation: dict[str, BoxCard]
    action: BoxCard
    trained_on: str


def save_student(folder: Path, student: Student, card: StudentCard) -> None:
    """Write weights and card; the card comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / WEIGHTS, student)
    write_record(folder / CARD, card, {})


def load_student(place: Path, env: Any = None) -> StudentPolicy:
    """Return the student of a folder as a policy.

    Args:
        place: where weights and card are.
        env: in which it is to act, when its spaces are to be checked.

    Raises:
        InputError: files that do not fit each other, or an environment with other spaces.
    """
    card = read_record(place / CARD, StudentCard)
    if env is not None:
        check_spaces(place, observation_of_cards(card.observation), box_of_card(card.action), env)
    student = Student(card.spec)
    read_weights(place / WEIGHTS, student)
    return StudentPolicy(student)
