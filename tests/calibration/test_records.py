import errno
import json
import math
import os
from pathlib import Path

import pytest

from calibration.bodies import Body
from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.kinematics import nominal_world
from calibration.optics import SensorParams
from calibration.pose import Pose
from calibration.records import (
    from_plain,
    read_json,
    read_record,
    to_plain,
    write_bytes,
    write_json,
    write_record,
    write_text,
)
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.world import WorldParams, with_values

WORLD = with_values(
    nominal_world(load_rig("cube_on_table")),
    {
        "bodies.cube.rgb": (0.1, 1 / 3, 0.7),
        "sensor.noise": 1e-17,
        "bodies.distractor3.present": True,
        "sensor.channels": "bgr",
    },
)
VALUES = [
    Pose("world", "camera", (0.1, -2.0, 1 / 3), (0.5, 0.5, -0.5, 0.5)),
    CameraIntrinsics(640, 480, 550.1, 549.9, 320.0, 239.5, (0.1, -0.2, 0.0, 1e-4, 0.3)),
    Estimate(0.02, 0.01, 0.03, 0.95, 12, "m", "fit"),
    WORLD,
    load_rig("cube_on_table"),
    load_rig("panda_tabletop"),
    load_rig("psm_tool"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: f"{type(v).__name__} {getattr(v, 'name', '')}".strip())
def test_what_is_written_is_read_again(value: object, tmp_path: Path) -> None:
    assert from_plain(type(value), to_plain(value), "there") == value
    file = tmp_path / "value.json"
    write_record(file, value, {"made_by": "a test"})
    assert read_record(file, type(value)) == value
    assert json.loads(file.read_text())["provenance"] == {"made_by": "a test"}
    assert [p.name for p in tmp_path.iterdir()] == ["value.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "{file} must have version 1, got 2"),
        ({"version": None}, "{file} must have version 1, got None"),
        ({"kind": "Pose"}, "{file} must hold a Estimate, got a 'Pose'"),
        ({"format": "other"}, "{file} must be a sim2real.record file"),
        ({"value": 3}, "{file} must be a table, got 3"),
    ],
)
def test_a_record_of_another_kind_names_the_file(change: dict[str, object], message: str, tmp_path: Path) -> None:
    file = tmp_path / "estimate.json"
    write_record(file, VALUES[2], {})
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError) as error:
        read_record(file, Estimate)
    assert str(error.value) == message.format(file=file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heigh": 0.03}, "{file}: unknown key 'heigh'; did you mean 'high'?"),
        ({"zzz": 1}, "{file}: unknown key 'zzz'; known: value, low, high, confidence, count, unit, method"),
        ({"count": 1.5}, "{file}.count must be a int, got 1.5"),
        ({"count": True}, "{file}.count must be a int, got True"),
        ({"value": "2 cm"}, "{file}.value must be a float, got '2 cm'"),
        ({"unit": None}, "{file}.unit must be a str, got None"),
        ({"low": 0.5}, "{file}: interval must hold the value, got 0.02 [0.5, 0.03]"),
    ],
)
def test_a_bad_field_names_the_file_and_the_field(change: dict[str, object], message: str, tmp_path: Path) -> None:
    file = tmp_path / "estimate.json"
    write_record(file, VALUES[2], {})
    content = json.loads(file.read_text())
    content["value"] |= change
    file.write_text(json.dumps(content))
    with pytest.raises(InputError) as error:
        read_record(file, Estimate)
    assert str(error.value) == message.format(file=file)


def test_a_missing_field_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "estimate.json"
    write_record(file, VALUES[2], {})
    content = json.loads(file.read_text())
    del content["value"]["unit"]
    file.write_text(json.dumps(content))
    with pytest.raises(InputError) as error:
        read_record(file, Estimate)
    assert str(error.value) == f"{file}: missing key 'unit'"


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (tuple[float, float], [1.0], "here must have 2 values, got 1"),
        (tuple[float, ...], [1.0, "a"], r"here\[1\] must be a float, got 'a'"),
        (tuple[float, ...], 1.0, "here must be a list, got 1.0"),
        (dict[str, float], [1.0], r"here must be a table, got \[1.0\]"),
        (dict[str, float], {"a": True}, "here.a must be a float, got True"),
        (
            Body,
            {"name": "a", "role": "prop", "shape": "box"},
            "here.role must be one of object, surface, robot, background, got 'prop'",
        ),
        (float, math.nan, "here must be finite, got nan"),
        (float, math.inf, "here must be finite, got inf"),
    ],
)
def test_values_of_another_type(kind: type, data: object, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        from_plain(kind, data, "here")


def test_a_whole_number_may_stand_for_a_float_and_none_for_what_is_optional() -> None:
    value = from_plain(tuple[float, float], [1, 2.5], "here")
    assert value == (1.0, 2.5)
    assert all(type(v) is float for v in value)
    assert from_plain(Rig, to_plain(VALUES[4]), "here").robot is None


def test_a_record_holds_finite_numbers_only() -> None:
    with pytest.raises(ValueError, match="a record holds finite numbers only, got nan"):
        to_plain(SensorParams(gamma=math.nan))


def test_no_file_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nowhere\.json: No such file or directory"):
        read_json(tmp_path / "nowhere.json")
    (tmp_path / "broken.json").write_text("{ 'a': 1 }")
    with pytest.raises(InputError, match=r"broken\.json must hold JSON, got: "):
        read_record(tmp_path / "broken.json", WorldParams)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bytes\.json must hold JSON, got: "):
        read_json(tmp_path / "bytes.json")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights.bin"
    write_bytes(file, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_bytes(file, b"new and longer")
    assert file.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["weights.bin"], "no temporary file is left"
    with pytest.raises(OSError, match="No space left on device"):
        write_text(tmp_path / "other.txt", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["weights.bin"]


def test_the_file_is_complete_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights.bin"
    seen = []
    sync = os.fsync

    def watch(number: int) -> None:
        sync(number)
        seen.append((file.exists(), [p.read_bytes() for p in tmp_path.iterdir()]))

    monkeypatch.setattr(os, "fsync", watch)
    write_bytes(file, b"new")
    assert seen == [(False, [b"new"])]
    assert file.read_bytes() == b"new"


def test_json_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "value.json"
    write_json(file, {"a": [1, 2.5, None, "x"]})
    assert read_json(file) == {"a": [1, 2.5, None, "x"]}
    with pytest.raises(ValueError, match="finite"):
        write_json(file, {"a": math.inf})
    assert read_json(file) == {"a": [1, 2.5, None, "x"]}
