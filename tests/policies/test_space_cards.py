from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from calibration.errors import InputError
from calibration.records import from_plain, to_plain
from policies.space_cards import BoxCard, box_of_card, card_of_box, cards_of_observation, observation_of_cards


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1.0, 1.0, (3,), np.float32),
        spaces.Box(0, 255, (4, 5, 3), np.uint8),
        spaces.Box(np.array([-1.0, -60.0], np.float32), np.array([1.0, 60.0], np.float32)),
        spaces.Box(np.array([[-1.0, -2.0]], np.float32), np.full((1, 2), 3.0, np.float32)),
    ],
)
def test_a_space_comes_back_from_its_record(space: spaces.Box) -> None:
    plain: Any = to_plain(card_of_box(space))
    assert box_of_card(from_plain(BoxCard, plain, "card")) == space
    both = spaces.Dict({"a": space, "b": spaces.Box(-1.0, 1.0, (1,))})
    assert observation_of_cards(cards_of_observation(both)) == both
    assert observation_of_cards(cards_of_observation(space)) == space


def test_other_spaces_are_not_kept() -> None:
    with pytest.raises(InputError, match=r"policies of Box spaces can be kept, got Discrete\(2\)"):
        card_of_box(spaces.Discrete(2))
