import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.rig_file import load_rig, rig_names
from calibration.world import BodyParams, WorldParams, paths, with_values
from sim2real.ledger import Ledger, LedgerWriter
from sim2real.presets import load_preset, rig_spec
from sim2real.randomization import RandomizationSpec, WorldSampler


def setup(name: str = "cube_on_table") -> tuple[Rig, RandomizationSpec, list[WorldParams]]:
    rig = load_rig(name)
    spec = rig_spec(rig, load_preset("everything"))
    return rig, spec, WorldSampler(spec, nominal_world(rig)).sample_many(4, range(6))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ledger of the worlds 0 to 3."""
    rig, spec, worlds = setup()
    path = tmp_path / "worlds.jsonl"
    with LedgerWriter(path, rig, spec, 4) as ledger:
        for k in range(4):
            ledger.write(k, worlds[k])
    return path


def bits(world: WorldParams) -> str:
    """Return every value in full; floats are equal only bit for bit."""
    return repr(world)


@pytest.mark.parametrize("name", rig_names())
def test_what_is_read_is_what_was_written_bit_for_bit(name: str, tmp_path: Path) -> None:
    rig, spec, worlds = setup(name)
    odd = with_values(worlds[0], {"light.ambient": 0.1 + 0.2, "light.diffuse": -0.0, "camera.focal_scale": 1 / 3})
    with LedgerWriter(tmp_path / "l.jsonl", rig, spec, 4) as ledger:
        for k in (3, 0, 5):
            ledger.write(k, worlds[k])
        ledger.write(77, odd)
        ledger.write(78, nominal_world(rig))
    read = Ledger(tmp_path / "l.jsonl")
    assert read.indices == [3, 0, 5, 77, 78]
    assert len(read) == 5
    assert [bits(w) for _, w in read] == [bits(w) for w in (worlds[3], worlds[0], worlds[5], odd, nominal_world(rig))]
    assert math.copysign(1.0, read.read(77).light.diffuse) == -1.0
    assert read.changes(78) == {}
    assert read.header["rig"]["name"] == name
    assert read.header["seed"] == 4
    assert "camera.shift_m" in read.header["spec"]["text"]


def test_only_what_differs_is_written(file: Path) -> None:
    rig, _, worlds = setup()
    nominal = paths(nominal_world(rig))
    changes = Ledger(file).changes(2)
    assert changes == {p: v for p, v in paths(worlds[2]).items() if v != nominal[p]}
    assert 50 < len(changes) < len(nominal)


def test_questions_to_a_ledger(file: Path) -> None:
    _, _, worlds = setup()
    ledger = Ledger(file)
    ambient = [w.light.ambient for w in worlds[:4]]
    assert ledger.column("light.ambient") == ambient
    assert ledger.column("bodies.table.matte") == [False] * 4
    low, high = sorted(ambient)[1:3]
    assert ledger.where("light.ambient", low, high) == [k for k in range(4) if low <= ambient[k] <= high]
    with pytest.raises(KeyError):
        ledger.read(4)
    with pytest.raises(KeyError):
        ledger.column("light.warmth")


@pytest.mark.parametrize("cut", [1, 30, 3000])
def test_half_a_line_is_passed_over_and_cut_off(file: Path, cut: int) -> None:
    rig, spec, worlds = setup()
    whole = file.read_bytes()
    file.write_bytes(whole[:-cut])
    ledger = Ledger(file)
    assert ledger.truncated
    assert ledger.indices == [0, 1, 2]
    with LedgerWriter(file, rig, spec, 4) as again:
        again.write(3, worlds[3])
    assert file.read_bytes() == whole
    assert not Ledger(file).truncated


def test_a_crash_within_the_header_leaves_a_ledger_to_begin_again(file: Path) -> None:
    rig, spec, _ = setup()
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match=r"worlds\.jsonl has no whole line; it must begin with a header"):
        Ledger(file)
    LedgerWriter(file, rig, spec, 4).close()
    assert len(Ledger(file)) == 0


def test_what_was_written_is_never_changed(file: Path) -> None:
    rig, spec, worlds = setup()
    before = file.read_bytes()
    with LedgerWriter(file, rig, spec, 4) as ledger:
        ledger.write(4, worlds[4])
        assert file.read_bytes()[: len(before)] == before
        # A world is in the file as soon as it is written.
        assert Ledger(file).read(4) == worlds[4]
    ledger.close()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda r, s, k: (r, s, k + 1), "seed"),
        (lambda r, s, k: (r, replace(s, channels=s.channels[1:]), k), "spec"),
        (lambda r, s, k: (replace(r, description="another"), s, k), "rig"),
    ],
)
def test_a_ledger_of_something_else_is_not_gone_on_with(file: Path, change: Callable[..., Any], name: str) -> None:
    rig, spec, _ = setup()
    before = file.read_bytes()
    with pytest.raises(InputError, match=rf"worlds\.jsonl was begun with another {name}; choose another file"):
        LedgerWriter(file, *change(rig, spec, 4))
    assert file.read_bytes() == before


def test_the_folder_of_a_rig_is_no_part_of_it(file: Path) -> None:
    rig, spec, _ = setup()
    LedgerWriter(file, replace(rig, folder=Path("elsewhere")), spec, 4).close()


def test_a_world_of_another_rig_is_not_written(file: Path) -> None:
    rig, spec, worlds = setup()
    with LedgerWriter(file, rig, spec, 4) as ledger:
        other = replace(worlds[0], bodies=(*worlds[0].bodies, BodyParams("cup", "object")))
        with pytest.raises(
            ValueError, match=r"paths of the nominal one, bodies\.cup\.angular_velocity_rad_s is in one"
        ):
            ledger.write(9, other)
    assert Ledger(file).indices == [0, 1, 2, 3]


def edited(number: int, change: Callable[[dict[str, Any]], Any]) -> Callable[[list[str]], list[str]]:
    def edit(lines: list[str]) -> list[str]:
        value = json.loads(lines[number - 1])
        change(value)
        return [*lines[: number - 1], json.dumps(value), *lines[number:]]

    return edit


BROKEN: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "another version": (
        edited(1, lambda v: v.update(version=2)),
        r"worlds\.jsonl, line 1: version must be 1, got 2$",
    ),
    "no ledger": (
        lambda lines: ['{"a": 1}', *lines],
        r"worlds\.jsonl, line 1: format must be sim2real-ledger, got None$",
    ),
    "no JSON": (lambda lines: ["hello", *lines], r"worlds\.jsonl, line 1: must be JSON: "),
    "unknown field of the header": (
        edited(1, lambda v: v.update(mood="good")),
        r"worlds\.jsonl, line 1: fields must be .*; unknown or missing: mood$",
    ),
    "missing field of the header": (
        edited(1, lambda v: v.pop("seed")),
        r"worlds\.jsonl, line 1: fields must be .*; unknown or missing: seed$",
    ),
    "unknown field of the nominal world": (
        edited(1, lambda v: v["nominal"]["light"].update(mood=1)),
        r"worlds\.jsonl, line 1: nominal\.light: unknown key 'mood'",
    ),
    "rubbish between": (
        lambda lines: [*lines[:2], "rubbish", *lines[2:]],
        r"worlds\.jsonl, line 3: must begin with the index of a world, got b'rubbish'$",
    ),
    "unknown field": (
        edited(3, lambda v: v.update(mood="good")),
        r"worlds\.jsonl, line 3: fields must be index, noise_seed, values; unknown or missing: mood$",
    ),
    "unknown path": (
        edited(3, lambda v: v["values"].update({"light.mood": 1.0})),
        r"worlds\.jsonl, line 3: light\.mood: the world has no such value; was it written by another version\?$",
    ),
    "wrong type": (
        edited(3, lambda v: v["values"].update({"light.shadow": 0.5})),
        r"worlds\.jsonl, line 3: light\.shadow must be a bool, got 0\.5$",
    ),
    "wrong length": (
        edited(3, lambda v: v["values"].update({"light.rgb": [1.0]})),
        r"worlds\.jsonl, line 3: light\.rgb must have 3 values, got 1$",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_ledger_names_file_and_line(case: str, file: Path) -> None:
    edit, message = BROKEN[case]
    file.write_text("\n".join(edit(file.read_text().splitlines())) + "\n")
    with pytest.raises(InputError, match=message):
        Ledger(file).read(1)


def test_no_file(tmp_path: Path) -> None:
    rig, spec, _ = setup()
    with pytest.raises(InputError, match=r"^cannot read ledger .*none\.jsonl: No such file"):
        Ledger(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match=r"^cannot write ledger .*none\.jsonl: No such file"):
        LedgerWriter(tmp_path / "folder" / "none.jsonl", rig, spec, 4)
