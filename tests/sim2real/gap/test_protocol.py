import dataclasses
import json

import pytest

from calibration.errors import InputError
from sim2real.gap.protocol import Protocol, check_same, read_protocol

FRAMES = Protocol("real photographs", "cube position, m", "by column x", ("a.jpg", "b.jpg"), "00ff")
EPISODES = Protocol("held-out simulation", "success rate", "goal", (), "", "Reach-v0", (3, 1, 2), 50)


@pytest.mark.parametrize("protocol", [FRAMES, EPISODES])
def test_a_protocol_survives_a_report(protocol: Protocol) -> None:
    data = json.loads(json.dumps(protocol.to_plain()))
    assert read_protocol(data, "report.json") == protocol


def test_an_edited_protocol_is_found() -> None:
    data = {**json.loads(json.dumps(FRAMES.to_plain())), "scored": ["a.jpg"]}
    with pytest.raises(InputError, match=r"protocol must have the hash .* \(report\.json\); it was edited"):
        read_protocol(data, "report.json")
    with pytest.raises(InputError, match=r"report\.json"):
        read_protocol({**data, "luck": 1}, "report.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scored": ("a.jpg", "c.jpg")}, r"scored 2 items, such as b\.jpg \(one\) and 2 items, such as c\.jpg \(two\)"),
        ({"scored": ("b.jpg", "a.jpg")}, r"scored 2 items \(one\)"),
        ({"content_sha256": "00fe"}, "content_sha256 00ff"),
        ({"target": "held-out simulation"}, "target real photographs"),
        ({"measure": "cube position, mm"}, "measure cube position, m "),
    ],
)
def test_numbers_of_other_frames_are_not_compared(change: dict[str, object], message: str) -> None:
    check_same(FRAMES, dataclasses.replace(FRAMES), ("one", "two"))
    with pytest.raises(InputError, match=message):
        check_same(FRAMES, dataclasses.replace(FRAMES, **change), ("one", "two"))


def test_numbers_of_other_seeds_are_not_compared() -> None:
    with pytest.raises(InputError, match=r"episode_seeds 3 items, such as 3 \(one\) and 3 items, such as 7 \(two\)"):
        check_same(EPISODES, dataclasses.replace(EPISODES, episode_seeds=(7, 1, 2)), ("one", "two"))


def test_something_is_scored() -> None:
    with pytest.raises(InputError, match="either frames or episodes, got 0 frames and 0 episodes"):
        Protocol("real photographs", "cube position, m", "all")
