"""Statistics of how pictures look, in colour, light, sharpness and noise, for comparing simulated and real ones."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

NAMES = (
    "mean L*",
    "mean a*",
    "mean b*",
    "std L*",
    "5th percentile of L*",
    "95th percentile of L*",
    "std a*",
    "std b*",
    "mean chroma",
    "log noise",
    "log sharpness",
    "log fine detail",
    "corner to middle",
)
_FLOOR = 1e-3


def looks(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return statistics (N, S) of pictures (N, H, W, 3), in the order of `NAMES`.

    L*, a* and b* are CIELAB. Noise is the robust spread of the Laplacian-difference mask of Immerkaer (1996) on L*, in
    L* units; sharpness the mean length of the gradient over the spread of L*; fine detail the mean of the highest
    octave of a Laplacian pyramid; corner to middle the ratio of mean L* in the four corners to that in the middle.
    """
    return np.array([_looks(p) for p in pictures]).reshape(-1, len(NAMES))


def _looks(picture: NDArray[np.uint8]) -> list[float]:
    lab = cv2.cvtColor(picture.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    light = lab[..., 0]
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    noise = 1.4826 * np.median(np.abs(cv2.filter2D(light, -1, mask))) / 6.0
    gradient = np.hypot(cv2.Sobel(light, -1, 1, 0), cv2.Sobel(light, -1, 0, 1)).mean() / 8.0
    fine = np.abs(light - cv2.GaussianBlur(light, (0, 0), 1.0)).mean()
    spread = float(light.std())
    h, w = (max(1, n // 6) for n in light.shape)
    corners = np.mean([light[:h, :w].mean(), light[:h, -w:].mean(), light[-h:, :w].mean(), light[-h:, -w:].mean()])
    middle = light[light.shape[0] // 3 : -(light.shape[0] // 3), light.shape[1] // 3 : -(light.shape[1] // 3)].mean()
    low, high = np.percentile(light, [5, 95])
    return [
        *(float(v) for v in lab.mean(axis=(0, 1))),
        spread,
        float(low),
        float(high),
        float(lab[..., 1].std()),
        float(lab[..., 2].std()),
        float(chroma.mean()),
        float(np.log(noise + _FLOOR)),
        float(np.log(gradient / max(spread, _FLOOR) + _FLOOR)),
        float(np.log(fine + _FLOOR)),
        float(corners / max(float(middle), _FLOOR)),
    ]


def coverage(simulated: NDArray[np.float64], real: NDArray[np.float64], share: float = 0.98) -> NDArray[np.float64]:
    """Return for each statistic the share of real pictures inside the middle `share` of the simulated ones.

    Args:
        simulated: (N, S).
        real: (M, S).
        share: 0 to 1.
    """
    low, high = np.quantile(simulated, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return np.asarray(((real >= low) & (real <= high)).mean(axis=0))
