"""`sim2real benchmark --what forecasts` on sweeps whose errors are known."""

import json
from pathlib import Path

import numpy as np
import pytest

from sim2real.benchmarks.forecasts import forecasts, read_curves
from sim2real.cli import main


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep of 12 seeds with a smooth curve, and one record each of a failure and without labels."""
    folder = tmp_path / "sweep"
    (folder / "scores").mkdir(parents=True)

    def write(name: str, budget: int, seed: int, **others: object) -> None:
        record = {"chain": "none", "budget": budget, "strategy": "lp-ft" if budget else "", "seed": seed, **others}
        (folder / "scores" / f"{name}.json").write_text(json.dumps(record))

    rng = np.random.default_rng(0)
    for seed in range(12):
        for budget in (3, 6, 12, 13):
            error = 0.01 + 0.02 * budget**-0.5
            errors = error * np.exp(rng.normal(0.0, 0.08, 20))
            write(f"none-lp-ft-{budget:03d}-seed{seed}", budget, seed, scores=[{"error": e} for e in errors])
    write("none-seed0", 0, 0, scores=[{"error": 1.0}])
    write("none-published-lp-ft-006-seed0", 6, 0, failed="it diverged")
    return folder


def test_doubles_are_forecast_from_all_that_is_below(sweep: Path) -> None:
    curves = read_curves(sweep)
    assert len(curves) == 12
    key = ("sweep", "none", True, "lp-ft", 0)
    cases = list(forecasts(key, curves[key]))
    # 13 is the double of nothing.
    assert [(c.known, c.wanted) for c in cases] == [((3,), 6), ((3, 6), 12)]
    assert cases[1].measured == curves[key][12]


def test_errors_on_a_smooth_curve_are_mostly_inside_and_outliers_are_not(
    sweep: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    assert main(["benchmark", "--what", "forecasts", "--sweeps", str(sweep), "--out", str(out)]) == 0
    assert "| all |  | 12 | 24 |" in capsys.readouterr().out
    cases = json.loads(out.read_text())["cases"]
    assert sum(c["holds"] for c in cases) >= 18
    file = sweep / "scores" / "none-lp-ft-012-seed3.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "scores": [{"error": 0.5}]}))
    key = ("sweep", "none", True, "lp-ft", 3)
    assert not list(forecasts(key, read_curves(sweep)[key]))[-1].holds


def test_a_folder_of_something_else_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--what", "forecasts", "--sweeps", str(tmp_path)]) == 2
    assert "sweeps must be folders of `sim2real sweep`" in capsys.readouterr().err
    assert main(["benchmark", "--what", "forecasts"]) == 2
    assert "5 10 20" in capsys.readouterr().err
