"""The station's colour cast, as the world's white balance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.estimate import Estimate
from calibration.photometry.frames import Array, Picture, block_mean

# How far the mean colour of an ordinary scene is from grey, as a standard deviation of a log ratio: the median angular
# error of grey-world and shades-of-grey on photographs is 6 degrees (Gijsenij et al. 2011), about a tenth.
_SCENE_STD = 0.12
_NORM = 6
_METHOD = (
    "gain relative to green that makes the scene's mean (grey world) and its brightest places (shades of grey, "
    "norm 6, Finlayson & Trezzi 2004) grey, mean of both; the interval holds what scenes differ from grey"
)


def station_balance(pictures: Sequence[Picture]) -> dict[str, Estimate]:
    """Return `sensor.white_balance.r` and `.b`: the gains, green at 1, that a grey scene would need to look like this.

    It assumes that the station's surfaces are grey on average and that the brightest are white. A coloured table is
    indistinguishable from coloured light; the interval allows for that of ordinary scenes only.
    """
    means, bright = [], []
    for picture in pictures:
        levels = block_mean(picture.astype(np.float32)).reshape(-1, 3).astype(np.float64)
        unclipped = levels[levels.max(axis=1) < 250]
        levels = unclipped if len(unclipped) > 10 else levels
        means.append(np.log(levels.mean(axis=0) + 0.5))
        bright.append(np.log(np.mean(levels**_NORM, axis=0) + 0.5) / _NORM)
    return {name: _gain(np.array(means), np.array(bright), k) for name, k in _CHANNELS.items()}


_CHANNELS = {"sensor.white_balance.r": 0, "sensor.white_balance.b": 2}


def _gain(means: Array, bright: Array, channel: int) -> Estimate:
    ratios = [v[:, channel] - v[:, 1] for v in (means, bright)]
    first, second = (float(np.median(r)) for r in ratios)
    centre = (first + second) / 2
    # The two assumptions err apart by what they disagree.
    half = 1.96 * float(np.hypot(_SCENE_STD, (first - second) / 2))
    value, low, high = (float(np.exp(v)) for v in (centre, centre - half, centre + half))
    return Estimate(value, low, high, 0.95, len(means), "1", _METHOD)
