"""`sim2real benchmark --what predictivity` as a user runs it, on two stations."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from policies.scripted.degraded import FAULTS
from sim2real.benchmarks import predictivity
from sim2real.cli import main


# Not importorskip: MuJoCo chooses its OpenGL while it is imported.
@pytest.mark.skipif(importlib.util.find_spec("mujoco") is None, reason="MuJoCo is not installed")
def test_rates_and_agreement_are_of_the_same_policies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: FAULTS[name] for name in ("expert", "lazy 0.8", "noise 1.4")}
    monkeypatch.setattr(predictivity, "FAULTS", few)
    out = tmp_path / "figures.json"
    words = ("benchmark", "--what", "predictivity", "--env", "PandaReach-v0", "--stations", 2, "--episodes", 3)
    assert main([str(w) for w in (*words, "--out", out)]) == 0
    said = capsys.readouterr().out
    found = json.loads(out.read_text())
    assert set(found["policies"]) == set(few)
    assert all(len(p["stations"]) == 2 for p in found["policies"].values())
    assert found["policies"]["expert"]["source"]["nominal"] == 1.0
    assert set(found["sources"]) == {"nominal", "dynamics, strength 0.6"}
    assert "held-out simulation" in said
    for source in found["sources"].values():
        assert f"MMRV {source['pooled']['mmrv']['value']:.3f}" in said
        assert len(source["stations"]) == 2
    # All stations and two of them, for two sources.
    drawn = out.with_suffix(".svg").read_text()
    assert drawn.count("success in the source, %") == 6
    assert main([str(w) for w in (*words, "--out", out)]) == 2
    assert "--out must be a new file" in capsys.readouterr().err
