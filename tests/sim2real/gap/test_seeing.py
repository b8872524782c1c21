import numpy as np

from calibration.rig_file import load_rig
from sim2real.gap.seeing import draw_simulated


def test_simulated_frames_are_of_the_preset_that_is_asked_for() -> None:
    rig = load_rig("cube_on_table")
    own, again, other = (draw_simulated(rig, 3, 0, preset) for preset in (None, rig.preset, "geometry"))
    np.testing.assert_array_equal(own.batch.rgb, again.batch.rgb)
    # The preset "geometry" has one sensor and one light for all frames; the rig's own draws both anew.
    assert len({world.sensor for world in other.worlds}) == 1
    assert len({world.sensor for world in own.worlds}) == 3
