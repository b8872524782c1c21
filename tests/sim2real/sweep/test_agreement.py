import json
from pathlib import Path
from typing import Any

import pytest

from calibration.errors import InputError
from sim2real.sweep.agreement import agreement, read_sweep, sentence


def sweep(name: str, means: dict[str, float], camera: str = "published", **more: float) -> dict[str, Any]:
    rows = [
        {"chain": c, "camera": camera, "budget": 0, "strategy": "", "mean": v, "unit": "m"} for c, v in means.items()
    ]
    rows += [
        {"chain": "none", "camera": camera, "budget": 10, "strategy": s, "mean": v, "unit": "m"}
        for s, v in more.items()
    ]
    return {"format": "sim2real.sweep", "rig": "station", "real": name, "rows": rows}


def test_methods_are_matched_and_following_the_advice_has_a_price() -> None:
    first = sweep("pretend", {"none": 0.05, "colour": 0.03, "coral": 0.02, "ours alone": 0.01}, full=0.015)
    second = sweep("photos", {"none": 0.04, "colour": 0.01, "coral": 0.03, "theirs alone": 0.001}, full=0.005)
    found = agreement(first, second)
    # Orders 3, 2, 1 and 3, 1, 2: two of three pairs agree.
    assert found["label_free"]["methods"] == 3
    assert found["label_free"]["kendall_tau_b"]["value"] == pytest.approx(1 / 3)
    assert found["label_free"]["spearman_rho"]["value"] == pytest.approx(0.5)
    assert (found["label_free"]["chosen"], found["label_free"]["best"]) == ("coral", "colour")
    assert found["label_free"]["regret"] == pytest.approx(0.02)
    assert found["all"]["methods"] == 4
    assert found["all"]["chosen"] == found["all"]["best"] == "none, full on 10"
    assert found["all"]["regret"] == 0
    assert "coral would be chosen, 2.00 cm above the best (colour)" in sentence(found)


def test_the_model_as_it_was_counts_with_the_camera_that_methods_start_from() -> None:
    first = sweep("pretend", {"none": 0.05, "colour": 0.03, "coral": 0.02}, "aligned")
    first["rows"].append({**first["rows"][0], "camera": "published", "mean": 0.001})
    first["rows"].append({"chain": "kmm", "camera": "aligned", "budget": 0, "strategy": "", "failed": ["no"]})
    found = agreement(first, sweep("photos", {"none": 0.05, "colour": 0.03, "coral": 0.02}))
    assert found["label_free"]["errors"]["none"] == [0.05, 0.05]
    assert found["label_free"]["kendall_tau_b"]["value"] == pytest.approx(1.0)


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    one = sweep("a", {"none": 1.0, "colour": 2.0, "coral": 3.0})
    with pytest.raises(InputError, match="must share at least 3 methods, got 2"):
        agreement(one, sweep("b", {"none": 1.0, "colour": 2.0}))
    other = sweep("b", {"none": 1.0, "colour": 2.0, "coral": 3.0})
    other["rows"][0]["unit"] = "px"
    with pytest.raises(InputError, match="must have one unit, got m and px"):
        agreement(one, other)
    with pytest.raises(InputError, match=r"a folder of sim2real sweep with sweep\.json, got"):
        read_sweep(tmp_path)
    (tmp_path / "sweep.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(InputError, match=r"must be of format sim2real\.sweep, got other"):
        read_sweep(tmp_path)
