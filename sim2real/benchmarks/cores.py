"""How much faster all cores are than one: our renderer, and arithmetic that shares nothing, which is what there is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numba
import numpy as np

from sim2real.benchmarks.apart import calls_per_s
from sim2real.benchmarks.contenders import ours_cpu
from sim2real.benchmarks.panda_scene import PandaScene

ARITHMETIC = "arithmetic alone"
# Steps of a piece of arithmetic, a few milliseconds' worth.
_STEPS = 4_000_000


def all_cores_beside_one(
    scene: PandaScene, sizes: tuple[int, ...], cores: int, rounds: int, seconds: float
) -> dict[str, float]:
    """Return how many times faster `cores` threads are than one, medians over the rounds of pairs in turns.

    Args:
        scene: what is drawn, all its poses in a call, with shadow and one sample a pixel.
        sizes: of the pictures; a key "84 px" for each.
        cores: how many threads draw.
        rounds: of pairs.
        seconds: that each part of a pair takes.
    """
    speedups: dict[str, list[float]] = {}
    pairs = {f"{size} px": (ours_cpu(scene, size, True, 1, 1), ours_cpu(scene, size, True, cores, 1)) for size in sizes}
    _arithmetic(1)
    with ThreadPoolExecutor(cores) as pool:
        for contenders in pairs.values():
            for contender in contenders:
                contender.draw()
        for _ in range(rounds):
            for name, (one, several) in pairs.items():
                ratio = calls_per_s(several.draw, seconds) / calls_per_s(one.draw, seconds)
                speedups.setdefault(name, []).append(ratio)
            together = calls_per_s(lambda: list(pool.map(_arithmetic, [_STEPS] * cores)), seconds)
            alone = calls_per_s(lambda: _arithmetic(_STEPS), seconds)
            speedups.setdefault(ARITHMETIC, []).append(cores * together / alone)
    for contenders in pairs.values():
        for contender in contenders:
            contender.close()
    return {name: median(values) for name, values in speedups.items()}


@numba.njit(nogil=True)
def _arithmetic(steps: int) -> float:
    value = np.float32(steps)
    for _ in range(steps):
        value = value * np.float32(0.9999) + np.float32(1e-4)
    return float(value)
