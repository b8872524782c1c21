from dataclasses import replace
from pathlib import Path

import pytest

from calibration.errors import InputError
from sim2real.benchmarks.config import BenchmarkConfig
from sim2real.benchmarks.environments import Contender, _paired, _settings_row, _text, benchmark

CONFIG = BenchmarkConfig("environments", rounds=2, seconds=0.05)


def test_a_ratio_counts_steps_and_both_are_closed() -> None:
    closed: list[str] = []

    def work() -> None:
        sum(range(2000))

    one = Contender(work, lambda: closed.append("ours"), steps=8)
    two = Contender(work, lambda: closed.append("peer"))
    pair = _paired(replace(CONFIG, rounds=5), "the same work", one, two)
    # The same call, of which one says that it does eight steps.
    assert pair.ratio == pytest.approx(8.0, rel=0.5)
    assert closed == ["ours", "peer"]
    assert "the same work" in _text([pair], [])


def test_bad_settings_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rounds must be 1 or more and seconds above 0, got 0"):
        benchmark(replace(CONFIG, rounds=0))
    taken = tmp_path / "figures.json"
    taken.write_text("{}")
    with pytest.raises(InputError, match="--out must be a new file"):
        benchmark(replace(CONFIG, out=taken))


@pytest.mark.slow
def test_coarse_physics_drops_what_fine_physics_holds() -> None:
    fine, coarse = _settings_row(0.004, 50, 1e-3), _settings_row(0.02, 50, 1e-3)
    assert fine["held"] == 30
    assert coarse["held"] < 20
