"""The ranking of axes where it is known which are needed."""

import numpy as np
import pytest

from sim2real.gap.leave_out.ranking import markdown, rank_axes
from sim2real.statistics import mean_estimate


def test_axes_are_ranked_by_the_paired_difference_and_judged_by_its_interval() -> None:
    rng = np.random.default_rng(0)
    everything = rng.gamma(2.0, 0.01, (2, 30))

    def changed(by: float) -> np.ndarray:
        return everything + by + rng.normal(0, 1e-3, everything.shape)

    without = {"lights": changed(0.0), "looks": changed(0.004), "sensor": changed(-0.005), "camera": changed(0.02)}
    held = {name: (f"{name}.x",) for name in without}
    found = rank_axes(everything, without, held)
    assert [r.axis for r in found] == ["camera", "looks", "lights", "sensor"]
    assert [r.verdict for r in found] == [
        "earns its place",
        "earns its place",
        "no difference beyond chance",
        "better left out",
    ]
    for row in found:
        assert row.difference.value == pytest.approx((without[row.axis] - everything).mean())
        assert row.error.value == pytest.approx(without[row.axis].mean())
        assert row.paths == held[row.axis]
    # Frames differ far more than axes do: unpaired, nothing could be said of any.
    assert mean_estimate(everything, "m").high > found[1].error.low
    table = markdown(mean_estimate(everything, "m"), found, 2, "cm", 100.0)
    assert table.splitlines()[4].startswith("| nothing | ")
    assert "| camera | " in table.splitlines()[5]
    assert "+2.0" in table.splitlines()[5]
    assert "add --seeds" not in table
    assert "add --seeds" in markdown(mean_estimate(everything, "m"), found, 1, "cm", 100.0)
