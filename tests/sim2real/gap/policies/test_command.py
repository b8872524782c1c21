"""`sim2real policy-gap` as a user runs it."""

import base64
import importlib.util
import json
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from calibration.errors import InputError
from envs.standin import Station
from policies.imitation.saved import StudentCard, save_student
from policies.imitation.student import Student, StudentSpec
from policies.space_cards import card_of_box, cards_of_observation
from sim2real.cli import main
from sim2real.environments import make_environment
from sim2real.gap.policies.command import policy_gap
from sim2real.gap.policies.playing.actors import find_contenders
from sim2real.gap.policies.playing.pieces import episodes_of
from sim2real.gap.policies.playing.strips import chosen_episodes, film
from sim2real.gap.policies.telling.moving import moving_url
from sim2real.gap.protocol import read_protocol
from sim2real.policy_configs import PolicyGapConfig

pytestmark = pytest.mark.skipif(importlib.util.find_spec("mujoco") is None, reason="MuJoCo is not installed")

THREE = ("expert", "expert:noise 0.8", "expert:late 4")
CONFIG = PolicyGapConfig(
    "PandaReach-v0",
    Path("unset"),
    THREE,
    stations=2,
    episodes=4,
    curves=("delay", "mass"),
    curve_episodes=3,
    video=False,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("policies") / "first"
    words = ["--env", "PandaReach-v0", "--policies", *THREE, "--stations", 2, "--episodes", 4]
    words += ["--curves", "delay", "mass", "--curve-episodes", 3, "--no-video", "--out", out]
    assert main(["policy-gap", *map(str, words)]) == 0
    return out


@pytest.fixture(scope="module")
def eye(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera student that has learned nothing."""
    env = make_environment("PandaPush-v0", observation="pixels", image_size_px=(40, 32))
    torch.manual_seed(0)
    spec = StudentSpec(9, 3, (40, 32), 4, 1)
    boxes = cards_of_observation(env.observation_space), card_of_box(env.action_space)
    place = tmp_path_factory.mktemp("eye")
    save_student(place, Student(spec), StudentCard("sim2real/PandaPush-v0", spec, *boxes, "nothing"))
    env.close()
    return place


def numbers(folder: Path) -> Any:
    return json.loads((folder / "policy_gap.json").read_text())


def test_the_numbers_are_those_of_the_episodes(folder: Path) -> None:
    result = numbers(folder)
    assert [r["name"] for r in result["policies"]] == ["expert", "expert, noise 0.8", "expert, late 4"]
    for number, row in enumerate(result["policies"]):
        source = row["source"]["successes"]
        assert row["source"]["success"]["value"] == source.count("1") / 4
        everywhere = "".join(s["successes"] for s in row["stations"])
        assert len(everywhere) == 8
        assert row["target"]["success"]["value"] == pytest.approx(everywhere.count("1") / 8)
        assert row["drop"]["value"] == pytest.approx(source.count("1") / 4 - everywhere.count("1") / 8)
        kept = json.loads((folder / "episodes" / f"policy{number}-true-state-station1.json").read_text())
        steps = [n for n, s in zip(kept["steps"], kept["success"], strict=True) if s]
        told = row["stations"][1]["steps_to_success"]
        assert (told["episodes"], told["value"]) == (len(steps), pytest.approx(sum(steps) / len(steps)))
    assert set(result["agreement"]["stations"]) == {"held-out simulation 0 (mild)", "held-out simulation 1 (mild)"}
    assert [c["cause"] for c in result["curves"]] == ["delay", "mass"]
    # Reach has nothing to carry.
    assert result["curves"][1]["values"] == {}
    assert len({p["rate"]["value"] for p in result["curves"][1]["points"]}) == 1
    causes = result["worst"]["causes"]
    assert {"delay", "backlash", "action noise"} <= {c["cause"] for c in causes}
    assert "light" not in {c["cause"] for c in causes}
    losses = [c["loss"]["value"] for c in causes]
    assert losses == sorted(losses, reverse=True)
    protocol = read_protocol(result["protocol"], "here")
    assert (protocol.target, protocol.episode_seeds, protocol.step_limit) == ("held-out simulation", (0, 1, 2, 3), 50)
    assert protocol.environment == "sim2real/PandaReach-v0"


def test_the_page_is_whole_and_names_the_held_out_simulation(folder: Path) -> None:
    text, result = (folder / "policy_gap.html").read_text(), numbers(folder)
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "<script" not in text
    assert len(text) < 10_000_000
    assert result["verdict"] in text
    assert text.count('class="plot scatter') == 3
    assert text.count('class="plot curve') == 2
    assert text.count('class="strip"') == len(result["strips"]["episodes"]) > 0
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)
    assert all("alt=" in tag for tag in re.findall(r"<img[^>]*>", text))
    for word in ("real photographs", "real station", "real robot"):
        assert word not in text
    assert "{{" not in text


def test_the_same_inputs_give_the_same_bytes_also_after_an_interruption(folder: Path, tmp_path: Path) -> None:
    page = policy_gap(replace(CONFIG, out=tmp_path / "again"))
    for name in ("policy_gap.json", "policy_gap.html"):
        assert (page.parent / name).read_bytes() == (folder / name).read_bytes()
    # What was killed half-way lacks the last files.
    for name in ("finished.json", "policy_gap.json", "policy_gap.html", "episodes/policy2-true-state-station1.json"):
        (page.parent / name).unlink()
    with pytest.raises(InputError, match="add --resume"):
        policy_gap(replace(CONFIG, out=tmp_path / "again"))
    with pytest.raises(InputError, match="--resume needs the settings of the first start: episodes was 4"):
        policy_gap(replace(CONFIG, out=tmp_path / "again", episodes=5, resume=True))
    policy_gap(replace(CONFIG, out=tmp_path / "again", resume=True))
    assert (page.parent / "policy_gap.json").read_bytes() == (folder / "policy_gap.json").read_bytes()


def test_finished_pieces_are_kept(folder: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, out=tmp_path / "run", policies=("expert",), curves=("none",))
    one = find_contenders(config)[0].acting
    file = tmp_path / "episodes" / "piece.json"
    first = episodes_of(config, one, Station(0), 3, file)
    known = json.loads(file.read_text())
    file.write_text(json.dumps({**known, "success": [False] * 3}))
    kept = episodes_of(config, one, Station(0), 3, file)
    assert kept.success == (False,) * 3
    assert kept.steps == first.steps


@pytest.mark.slow  # the held-out simulation draws pictures of the whole camera
def test_seeing_is_told_from_moving(eye: Path, tmp_path: Path) -> None:
    config = replace(
        CONFIG, env="PandaPush-v0", policies=("expert",), see=eye, stations=1, episodes=2, curves=("none",), worst=False
    )
    result = numbers(policy_gap(replace(config, out=tmp_path / "run")).parent)
    (row,) = result["policies"]
    assert row["sight"] == "eye"
    known, split = row["true_state"], row["split"]
    shares = {s["group"]: s for s in split["shares"]}
    assert shares["moving"]["alone"] == pytest.approx(known["drop"]["value"])
    whole = known["source"]["success"]["value"] - row["target"]["success"]["value"]
    assert split["gap"]["value"] == pytest.approx(whole)
    assert shares["seeing"]["last"] == pytest.approx(whole - shares["moving"]["alone"])
    assert {p.name for p in (tmp_path / "run" / "episodes").iterdir()} == {
        f"policy0-{sight}-{place}.json" for sight in ("eye", "true-state") for place in ("source", "station0")
    }
    assert "Seeing and moving" in (tmp_path / "run" / "policy_gap.html").read_text()


def test_an_eye_is_for_policies_that_see_the_state(eye: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, env="PandaPush-v0", out=tmp_path, policies=(str(eye), "expert"), see=eye)
    camera, expert = find_contenders(config)
    assert (camera.acting.sight, camera.knowing) == ("own pictures", None)
    assert expert.acting.sight == "eye"
    assert expert.knowing is not None
    assert (expert.knowing.sight, expert.knowing.kwargs) == ("true state", {})
    assert (camera.name, expert.name) == (eye.name, "expert")
    plain = find_contenders(replace(config, policies=("expert",), see=None))[0]
    assert (plain.acting.sight, plain.knowing) == ("true state", None)


def test_strips_show_the_episodes_that_were_counted(tmp_path: Path) -> None:
    config = replace(CONFIG, out=tmp_path, policies=("expert:noise 1.4",), seed=3)
    one, station = find_contenders(config)[0].acting, Station(0)
    played = episodes_of(config, one, station, 12, tmp_path / "piece.json")
    chosen = chosen_episodes(played)
    assert chosen[-1] > 0
    strips = film(config, one, station, played)
    assert [s.seed for s in strips] == [3 + k for k in chosen]
    for k, strip in zip(chosen, strips, strict=True):
        assert (strip.success, strip.steps) == (played.success[k], played.steps[k])
        assert len(strip.distances_m) == strip.steps + 1
        assert (strip.distances_m[-1] < 0.05) == strip.success
        assert (strip.shown[0], strip.shown[-1], len(strip.pictures)) == (0, strip.steps, len(strip.shown))
        assert strip.moving == ()
    with pytest.raises(InputError, match=r"must end after .* steps as it did"):
        film(config, one, station, replace(played, steps=tuple(n + 1 for n in played.steps)))


def test_pictures_move_where_they_are_wanted(tmp_path: Path) -> None:
    config = replace(CONFIG, out=tmp_path, policies=("expert",), video=True)
    one, station = find_contenders(config)[0].acting, Station(0)
    played = episodes_of(config, one, station, 2, tmp_path / "piece.json")
    (strip,) = film(config, one, station, played)
    assert len(strip.moving) == len({*range(0, strip.steps, 2), strip.steps})
    assert (strip.moving[0] == strip.pictures[0]).all()
    assert (strip.moving[-1] == strip.pictures[-1]).all()
    assert strip.moving_step_s == pytest.approx(2 / 25)
    url = moving_url(strip.moving, strip.moving_step_s, 64)
    assert url == moving_url(strip.moving, strip.moving_step_s, 64)
    found = Image.open(BytesIO(base64.b64decode(url.removeprefix("data:image/webp;base64,"))))
    assert (found.n_frames, found.size) == (len(strip.moving), (64, 48))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stations": 0}, "--stations must be 1 or more, got 0"),
        ({"episodes": 1}, "--episodes must be 2 or more, got 1"),
        ({"curve_episodes": 1}, "--curve-episodes must be 2 or more, got 1"),
        ({"seed": -1}, "--seed must be 0 or more, got -1"),
        ({"curves": ("wind",)}, "--curves takes causes, .*, or none alone; got 'wind'"),
        ({"env": "DoublePendulum-v0"}, "a held-out simulation is there for"),
        ({"policies": ()}, "--policies must name at least one policy"),
        ({"policies": ("expert", "expert")}, "--policies must differ, got expert more than once"),
        ({"policies": ("expert:tired",)}, "a fault of the expert must be one of expert, noise 0.4, .*, got"),
        ({"policies": ("/nowhere",)}, "policy must be a folder made by"),
        ({"see": Path("/nowhere")}, "policy must be a folder made by"),
    ],
)
def test_a_bad_setting_says_what_is_wrong(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        policy_gap(replace(CONFIG, out=tmp_path / "run", **change))
    assert not (tmp_path / "run").exists()
