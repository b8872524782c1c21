"""What a camera makes of the light: lens, shutter, colour sensor, depth sensor."""

from envs.sensing.depth import measure_depth
from envs.sensing.distortion import Warp, straightened
from envs.sensing.motion import mean_in_light, rolling_rows
from envs.sensing.sensor import measure, measure_through

__all__ = ["Warp", "mean_in_light", "measure", "measure_depth", "measure_through", "rolling_rows", "straightened"]
