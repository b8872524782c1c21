from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.rig_file import load_rig
from sim2real.axes import draw_axes, page_text, sheet, value_text
from sim2real.axis_list import GROUPS, Axis, fields_of_world
from sim2real.cli import main

AXES = [axis for axes in GROUPS.values() for axis in axes]


def test_every_axis_of_a_world_is_listed() -> None:
    assert {axis.key for axis in AXES} == fields_of_world()


@pytest.mark.parametrize("axis", AXES, ids=lambda a: a.target)
def test_an_axis_says_what_it_is(axis: Axis) -> None:
    assert len(axis.meaning) > 5
    assert "\n" not in axis.meaning
    if axis.key.rsplit("_", 1)[-1] in ("m", "s", "rad", "px", "ev", "e"):
        assert axis.unit


def test_units_and_sources() -> None:
    assert Axis("bodies.@object.angular_velocity_rad_s").unit == "rad/s"
    assert Axis("camera.velocity_m_s").unit == "m/s"
    assert Axis("depth.step_per_m").unit == "m at 1 m"
    assert Axis("depth.step_per_m").source == "Khoshelham & Elberink 2012"
    assert Axis("lens.aperture_m").meaning == (
        "diameter of the entrance pupil, metres; 0 is a pinhole, in focus everywhere"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), ((1.0, 0.255), "1 0.26"), (True, "True"), ("planks:3", "planks:3"), (1900.0, "1.9e+03")],
)
def test_values_are_short(value: object, text: str) -> None:
    assert value_text(value) == text


@pytest.fixture(scope="module")
def drawn() -> dict[str, list]:
    return draw_axes(load_rig("psm_tool"))


@pytest.mark.slow
def test_every_axis_that_the_rig_has_is_drawn_at_its_ends(drawn: dict[str, list]) -> None:
    strips = {strip.axis.key: strip for group in drawn.values() for strip in group}
    assert set(strips) == fields_of_world()
    for strip in strips.values():
        assert len(strip.values) == len(strip.pictures) == len(set(map(repr, strip.values)))
        assert len(strip.values) in (2, 3)
        for picture in strip.pictures:
            assert picture.shape == (126, 168, 3)
    exposure = strips["sensor.exposure_ev"]
    assert exposure.values[1] == 0.0
    assert -0.75 < exposure.values[0] == -exposure.values[2] < -0.5
    means = [p.mean() for p in exposure.pictures]
    assert means[0] < means[1] < means[2]
    warm, white, cold = (p.reshape(-1, 3).mean(axis=0) for p in strips["light.rgb"].pictures)
    assert warm[0] / warm[2] > white[0] / white[2] > cold[0] / cold[2]
    # The object's own values are relative to the rig where the channel says so, not to how the station is dressed.
    rgb = strips["bodies.rgb"]
    assert rgb.channel is not None


@pytest.mark.slow
def test_a_sheet_holds_all_strips(drawn: dict[str, list]) -> None:
    picture = sheet(drawn["camera"])
    assert picture.shape == (3 * (126 + 16 + 16 + 6), 2 * (3 * 174 + 6), 3)
    np.testing.assert_array_equal(picture[16 : 16 + 126, :168], drawn["camera"][0].pictures[0])
    assert (sheet(drawn["camera"][:1])[:, 3 * 174 :] == 255).all()


@pytest.mark.slow
def test_the_page_has_a_line_for_each_axis(drawn: dict[str, list]) -> None:
    text = page_text(load_rig("psm_tool"), drawn)
    for group, strips in drawn.items():
        assert not strips or f"](axes/{group.replace(' ', '_')}.jpg)" in text
        for strip in strips:
            assert text.count(f"\n| `{strip.axis.target}` | ") == 1
    assert "sim2real axes --rig psm_tool --out docs --overwrite" in text
    assert all(line.count("|") == 6 for line in text.splitlines() if line.startswith("|"))


def test_the_command_writes_page_and_sheets_once(
    small_rig: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.toml").write_text(small_rig)
    words = ["axes", "--rig", str(tmp_path / "small.toml"), "--out", str(tmp_path / "docs")]
    assert main(words) == 0
    assert capsys.readouterr().out == f"page: {tmp_path / 'docs' / 'randomization.md'}\n"
    sheets = sorted((tmp_path / "docs" / "axes").iterdir())
    assert {p.stem for p in sheets} >= {"looks", "lights", "camera", "lens_and_shutter", "sensor", "background"}
    assert "distractors" not in {p.stem for p in sheets}, "this rig has none"
    assert sum(p.stat().st_size for p in sheets) < 1.5e6
    for path in sheets:
        assert cv2.imread(str(path)) is not None
    before = {p: p.read_bytes() for p in sheets}
    assert main(words) == 2
    assert "randomization.md exists; add --overwrite or choose another --out" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    assert {p: p.read_bytes() for p in sheets} == before
