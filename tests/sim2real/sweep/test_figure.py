from typing import Any

import pytest

from sim2real.figures import Line
from sim2real.sweep import figure


def row(chain: str, budget: int, strategy: str, mean: float, camera: str = "aligned") -> dict[str, Any]:
    return {
        "chain": chain, "budget": budget, "strategy": strategy, "camera": camera, "mean": mean,
        "interval": (0.9 * mean, 1.2 * mean),
    }  # fmt: skip


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    found: list[Line] = []
    monkeypatch.setattr(figure, "error_curve", lambda lines, *_: found.extend(lines) or "")
    return found


def test_lines_begin_without_labels_but_from_scratch(drawn: list[Line]) -> None:
    rows = [
        row("none", 0, "", 0.05), row("none", 0, "", 0.09, "published"), row("histogram", 0, "", 0.04),
        row("none", 10, "lp-ft", 0.02), row("none", 5, "lp-ft", 0.03), row("none", 10, "scratch", 0.06),
        {"chain": "none", "budget": 5, "strategy": "ewc", "camera": "aligned", "failed": ["no"]},
    ]  # fmt: skip
    figure.budget_figure(rows, "cube", "cm", 100.0)
    assert [line.label for line in drawn] == ["lp-ft", "scratch"]
    assert [(p.budget, p.mean) for p in drawn[0].points] == [(0, 5.0), (5, 3.0), (10, pytest.approx(2.0))]
    assert drawn[0].points[1].low == pytest.approx(2.7)
    assert [p.budget for p in drawn[1].points] == [10]


def test_of_many_lines_the_lowest_are_drawn(drawn: list[Line]) -> None:
    figure.budget_figure([row("none", 10, f"s{k}", 0.02 + k / 100) for k in range(12)], "cube", "m", 1.0)
    assert [line.label for line in drawn] == [f"s{k}" for k in range(8)]
