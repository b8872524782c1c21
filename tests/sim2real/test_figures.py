import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from sim2real.figures import Line, Point, agreement, error_curve, loss_curves, position_scatter

SVG = "{http://www.w3.org/2000/svg}"
LINES = [
    Line("sim_only", "sim-only", (Point(0, 3.1, 2.6, 3.7),)),
    Line("finetuned", "fine-tuned", (Point(5, 1.9, 1.5, 2.4), Point(10, 1.3, 1.1, 1.5))),
]
TRUTH = np.array([[-50.0, 61.0], [-80.0, 1.0], [-125.0, -44.0]])


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()).strip() for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def tick_positions(svg: str, anchor: str, coordinate: str) -> dict[float, float]:
    """Tick value to its place in the drawing, for the axis whose labels have this anchor."""
    ticks = {}
    for node in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        text = "".join(node.itertext()).strip().replace("−", "-")
        if f"text-anchor: {anchor}" in node.attrib["style"] and re.fullmatch(r"-?[\d.]+", text):
            ticks[float(text)] = float(node.attrib[coordinate])
    return ticks


def bars(svg: str) -> list[tuple[float, float]]:
    """The ends of every interval bar in the unit of the axis, read back from the drawing."""
    ticks = tick_positions(svg, "end", "y")
    low, high = min(ticks), max(ticks)
    per_unit = (ticks[high] - ticks[low]) / (high - low)
    # A label stands a little below its tick; the axis line gives the true place of 0.
    origin = max(float(y) for y in re.findall(r'd="M [\d.]+ ([\d.]+) \nL [\d.]+ [\d.]+ \n"', svg))
    found = re.findall(r'd="M ([\d.]+) ([\d.]+) \nL \1 ([\d.]+) \n"[^>]*stroke-width: 1.5', svg)
    return sorted(((float(a) - origin) / per_unit, (float(b) - origin) / per_unit) for _, a, b in found)


@pytest.mark.parametrize("narrow", [False, True])
def test_curve_has_axis_labels_with_units_and_a_legend(narrow: bool) -> None:
    found = texts(error_curve(LINES, "cube position", "cm", narrow=narrow))
    assert "mean error (cm)" in found
    assert "labelled frames" in found
    assert {"sim-only", "fine-tuned", "0", "5", "10"} <= set(found)


def test_same_numbers_give_the_same_bytes() -> None:
    assert error_curve(LINES, "q", "cm") == error_curve(LINES, "q", "cm")
    assert loss_curves({"seed 0": [(0, 1.0), (9, 0.5)]}) == loss_curves({"seed 0": [(0, 1.0), (9, 0.5)]})


def test_bars_reach_from_the_low_to_the_high_end_of_the_interval() -> None:
    expected = [(1.1, 1.5), (1.5, 2.4), (2.6, 3.7)]
    assert np.allclose(bars(error_curve(LINES, "q", "cm")), expected, atol=0.02)


def test_a_mean_without_an_interval_has_no_bar() -> None:
    bare = [replace(line, points=tuple(Point(p.budget, p.mean) for p in line.points)) for line in LINES]
    assert bars(error_curve(bare, "q", "cm")) == []


def test_error_axis_is_logarithmic_only_for_a_wide_range() -> None:
    wide = [*LINES, Line("scratch", "from scratch", (Point(5, 30.0), Point(10, 12.0)))]
    found = texts(error_curve(wide, "q", "cm"))
    assert "mean error (cm), log scale" in found
    assert {"1", "2", "5", "10", "20"} <= set(found)
    assert "mean error (cm)" in texts(error_curve(LINES, "q", "cm"))


def test_budgets_far_apart_stand_on_a_logarithmic_axis() -> None:
    lines = [Line("finetuned", "fine-tuned", tuple(Point(b, 2.0 - b / 500) for b in (0, 1, 10, 100)))]
    svg = error_curve(lines, "q", "cm")
    ticks = tick_positions(svg, "middle", "x")
    assert "labelled frames (log scale)" in texts(svg)
    assert ticks[10.0] - ticks[1.0] == pytest.approx(ticks[100.0] - ticks[10.0], abs=0.01)


def test_a_lonely_zero_budget_and_no_lines_at_all_are_drawn() -> None:
    assert "0" in texts(error_curve(LINES[:1], "q", "cm"))
    assert "labelled frames" in texts(error_curve([], "q", "cm"))


@pytest.mark.parametrize("name", ["_hidden", "cost $x_1$ and $", "网络", "a < b & c", ""])
def test_any_method_name_is_drawn_as_written(name: str) -> None:
    found = texts(error_curve([Line("new_method", name, (Point(0, 1.0),))], "q", "cm"))
    assert name in found


def test_a_known_method_keeps_its_colour_and_unknown_ones_differ() -> None:
    def colours(keys: list[str]) -> list[set[str]]:
        def drawn(some: list[str]) -> set[str]:
            svg = error_curve([Line(key, "x", (Point(0, 1.0),)) for key in some], "q", "cm")
            return set(re.findall(r"var\(--c(\d)", svg))

        return [drawn(keys[: i + 1]) - drawn(keys[:i]) if i else drawn(keys[:1]) for i in range(len(keys))]

    assert colours(["finetuned", "scratch"]) == [{"0"}, {"1"}]
    assert colours(["scratch", "finetuned"]) == [{"1"}, {"0"}]
    assert colours(["alpha", "beta", "finetuned"]) == [{"6"}, {"7"}, {"0"}]


def test_svg_can_stand_beside_others_in_a_page() -> None:
    svg = position_scatter(TRUTH, TRUTH + 1.0, ("x", "y"), "cm", name="positions-0", frame="robot")
    root = ElementTree.fromstring(svg)
    ids = [node.attrib["id"] for node in root.iter() if "id" in node.attrib]
    assert ids
    assert all(text.startswith("positions-0-") for text in ids)
    uses = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
    assert uses
    assert set(uses) <= set(ids)
    assert "<style" not in svg
    assert "#010203" not in svg
    assert "currentColor" in svg
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]


def test_scatter_has_units_frame_and_one_scale_on_both_axes() -> None:
    svg = position_scatter(TRUTH, TRUTH + 1.0, ("x", "y"), "cm", name="p", frame="robot")
    assert {"x (cm, robot frame)", "y (cm, robot frame)", "truth", "prediction"} <= set(texts(svg))
    x, y = tick_positions(svg, "middle", "x"), tick_positions(svg, "end", "y")
    per_cm = [abs(axis[max(axis)] - axis[min(axis)]) / (max(axis) - min(axis)) for axis in (x, y)]
    assert per_cm[0] == pytest.approx(per_cm[1], rel=1e-3)


def test_two_scatters_can_share_their_axes() -> None:
    far = TRUTH + 300.0
    both = np.vstack([TRUTH, far])
    first = position_scatter(TRUTH, TRUTH, ("x", "y"), "cm", name="a", also=both)
    second = position_scatter(far, far, ("x", "y"), "cm", name="b", also=both)
    assert tick_positions(first, "middle", "x") == tick_positions(second, "middle", "x")
    assert tick_positions(first, "end", "y") == tick_positions(second, "end", "y")


def test_a_single_point_is_drawn() -> None:
    one = np.array([[1.0, 2.0]])
    assert "x (cm)" in texts(position_scatter(one, one, ("x", "y"), "cm", name="p"))
    assert "true angle (rad)" in texts(agreement(one[0, :1], one[0, :1], "angle", "rad", name="p"))


def test_loss_is_labelled_and_logarithmic_where_needed() -> None:
    flat = texts(loss_curves({"seed 0": [(0, 1.0), (50, 0.8)], "seed 1": [(0, 1.1), (50, 0.9)]}))
    assert {"training step", "loss", "seed 0", "seed 1"} <= set(flat)
    assert "loss (log scale)" in texts(loss_curves({"seed 0": [(0, 10.0), (50, 0.1)]}))
    assert "loss" in texts(loss_curves({"seed 0": [(0, 10.0), (50, -0.1)]}))


def test_settings_of_the_caller_neither_change_nor_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = error_curve(LINES, "q", "cm")
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 33.0)
    monkeypatch.setitem(matplotlib.rcParams, "axes.grid", True)
    before = dict(matplotlib.rcParams)
    assert error_curve(LINES, "q", "cm") == plain
    assert dict(matplotlib.rcParams) == before
