"""`sim2real benchmark --what attribution`: what it says of rows, and what it refuses."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.standin import Station
from sim2real.benchmarks import attribution
from sim2real.cli import main
from sim2real.gap.attribution import Attribution, attribute, difference_from_target
from sim2real.gap.planted import seeing_causes
from sim2real.gap.planted_moving import ENGINE, moving_causes


def test_a_planted_cause_that_others_outweigh_is_not_called_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def of(causes: tuple[str, ...], weights: dict[str, float]) -> Any:
        def found(station: Station, seed: int) -> Attribution:
            def outcomes(taken: frozenset[str]) -> Any:
                moved = sum(weights.get(name, 1.0) for name in taken if name in station.causes or name == ENGINE)
                return np.full((4, 1), moved)

            return attribute(causes, difference_from_target(causes, outcomes), "m")

        return found

    # Noise does nothing here; the engine does more than every cause of moving, and is not one of them.
    monkeypatch.setattr(attribution, "_seeing", lambda *_: of(seeing_causes(), {"noise": 0.0}))
    monkeypatch.setattr(attribution, "_moving", lambda *_: of((*moving_causes(), ENGINE), {ENGINE: 50.0}))
    config = attribution.BenchmarkConfig("attribution", model=tmp_path, out=tmp_path / "found.json")
    text = attribution.benchmark(config)
    seen, moved = len(seeing_causes()), len(moving_causes())
    total = seen + moved
    assert (
        f"ranked first: {total - 1} of {total} ({seen - 1} of {seen} of seeing, {moved} of {moved} of moving)" in text
    )
    assert "10 of 10 of moving" in text
    assert (tmp_path / "found.json").is_file()


@pytest.mark.skipif(find_spec("mujoco") is None, reason="needs MuJoCo: pip install -e '.[standin]'")
def test_a_missing_model_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--what", "attribution"]) != 0
    assert "needs --model" in capsys.readouterr().err
