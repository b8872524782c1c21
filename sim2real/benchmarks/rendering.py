"""Views a second of the renderers, side by side, with the agreement of their pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np

from calibration.errors import InputError
from calibration.records import write_json
from envs.rendering.cpu.rasterizer import CpuRasterizer
from sim2real.benchmarks.agreement import ssim
from sim2real.benchmarks.apart import Apart, calls_per_s
from sim2real.benchmarks.config import BenchmarkConfig
from sim2real.benchmarks.contenders import (
    Contender,
    full_meshes,
    ours_cpu,
    ours_gpu,
    pybullet_opengl,
    pybullet_tiny,
    tiny_image,
)
from sim2real.benchmarks.cores import all_cores_beside_one
from sim2real.benchmarks.mujoco_scene import mujoco_contender
from sim2real.benchmarks.panda_scene import PandaScene
from sim2real.runs import system_info

_POSES = 64
_SUBSTEPS = 20
# Each in a process of its own.
_PEERS = (pybullet_opengl, mujoco_contender, ours_gpu)


@dataclass(frozen=True)
class Row:
    """One renderer at one setting: medians over the rounds, and the median of the rounds' ratios to TinyRenderer."""

    renderer: str
    size_px: int
    shadow: bool
    cores: int
    views_per_s: float
    ratio: float


def benchmark(config: BenchmarkConfig) -> str:
    """Run the benchmark, write its figures if asked to, and return them as text.

    Raises:
        InputError: sizes or rounds that cannot be, or a file that exists.
    """
    if min(config.sizes, default=0) < 16 or config.rounds < 1 or not config.seconds > 0:
        raise InputError(
            f"sizes must be 16 px or more, rounds 1 or more and seconds above 0, "
            f"got {list(config.sizes)}, {config.rounds} and {config.seconds:g}"
        )
    if config.out is not None and config.out.exists():
        raise InputError(f"--out must be a new file, {config.out} exists")
    scene = PandaScene(_POSES)
    try:
        rows = [row for size in config.sizes for shadow in (True, False) for row in _rows(scene, size, shadow, config)]
        agreement = {size: _agreement(scene, size) for size in config.sizes}
        whole = _end_to_end(scene, config)
        cores = _cores()
        beside = all_cores_beside_one(scene, config.sizes, cores, config.rounds, config.seconds) if cores > 1 else {}
    finally:
        scene.close()
    if config.out is not None:
        figures = {
            "system": system_info(),
            "rounds": config.rounds,
            "rows": [asdict(row) for row in rows],
            "ssim_to_full_meshes": {str(k): v for k, v in agreement.items()},
            "end_to_end_steps_per_s": whole,
            "cores": cores,
            "all_cores_beside_one": beside,
        }
        write_json(config.out, figures)
    return _text(rows, agreement, whole, cores, beside)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process and the threads that it starts on one core."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _rows(scene: PandaScene, size: int, shadow: bool, config: BenchmarkConfig) -> list[Row]:
    cores = _cores()
    with one_core():
        single = [
            pybullet_tiny(scene, size, shadow),
            ours_cpu(scene, size, shadow, 1, 1),
            ours_cpu(scene, size, shadow, 1, 4),
        ]
        peers = [Apart(make, _POSES, size, shadow) for make in (_PEERS if config.peers else ())]
        rows = _measured(single, peers, size, shadow, 1, config)
        for peer in peers:
            peer.close()
    if cores > 1:
        # TinyRenderer draws on one core whatever there is; it is measured again beside these.
        several = [ours_cpu(scene, size, shadow, cores, 1), ours_cpu(scene, size, shadow, cores, 4)]
        rows += _measured([single[0], *several], [], size, shadow, cores, config)[1:]
        single += several
    for contender in single:
        contender.close()
    return rows


def _measured(
    contenders: list[Contender], peers: list[Apart], size: int, shadow: bool, cores: int, config: BenchmarkConfig
) -> list[Row]:
    """Return a row for each contender; in every round each has its turn, so that the machine's moods hit all alike."""
    running = [peer for peer in peers if peer.name is not None]
    names = [c.name for c in contenders] + [str(peer.name) for peer in running]
    speeds: list[list[float]] = [[] for _ in names]
    for contender in contenders:
        contender.draw()
    for _ in range(config.rounds):
        turns = [c.views * calls_per_s(c.draw, config.seconds) for c in contenders]
        turns += [peer.views_per_s(config.seconds) or 0.0 for peer in running]
        for own, speed in zip(speeds, turns, strict=True):
            own.append(speed)
    return [
        Row(name, size, shadow, cores, median(own), median(a / b for a, b in zip(own, speeds[0], strict=True)))
        for name, own in zip(names, speeds, strict=True)
    ]


def _agreement(scene: PandaScene, size: int) -> float:
    """Return the mean SSIM of prepared meshes against full ones, over all poses."""
    full = full_meshes(scene, size).rgb
    rasterizer = CpuRasterizer(samples=1)
    ours = rasterizer.draw(scene.scene(size, True)).rgb
    rasterizer.close()
    return float(np.mean([ssim(a, b) for a, b in zip(ours, full, strict=True)]))


def _end_to_end(scene: PandaScene, config: BenchmarkConfig) -> dict[str, float]:
    """Return control steps a second on one core: 20 substeps of physics, poses, and one picture of 84 x 84."""
    size, p, client = 84, scene.pybullet, scene.client
    p.setGravity(0, 0, -9.81, physicsClientId=client)
    p.setTimeStep(0.002, physicsClientId=client)
    rng = np.random.default_rng(1)
    draw_tiny = tiny_image(scene, size, True)
    with one_core():
        rasterizer = CpuRasterizer(1, 1)
        still = scene.scene(size, True, scene.poses[:1])

        def physics() -> None:
            targets = scene.joints[rng.integers(len(scene.joints))]
            p.setJointMotorControlArray(
                scene.robot, list(range(len(targets))), p.POSITION_CONTROL, targets.tolist(), physicsClientId=client
            )
            for _ in range(_SUBSTEPS):
                p.stepSimulation(physicsClientId=client)

        def ours() -> None:
            physics()
            rasterizer.draw(still.moved(scene.arrays.poses()[None]))

        def theirs() -> None:
            physics()
            draw_tiny()

        steps: dict[str, list[float]] = {"PyBullet TinyRenderer": [], "ours, CPU": [], "physics alone": []}
        for call in (ours, theirs, physics):
            call()
        for _ in range(config.rounds):
            for name, call in zip(steps, (theirs, ours, physics), strict=True):
                steps[name].append(calls_per_s(call, config.seconds))
    return {name: median(values) for name, values in steps.items()}


def _text(
    rows: list[Row], agreement: dict[int, float], whole: dict[str, float], cores: int, beside: dict[str, float]
) -> str:
    lines = [f"{'renderer':<28} {'size':>4} {'shadow':>6} {'cores':>5} {'views/s':>9} {'ratio':>7}"]
    for row in rows:
        shadow = "yes" if row.shadow else "no"
        lines.append(
            f"{row.renderer:<28} {row.size_px:>4} {shadow:>6} {row.cores:>5} {row.views_per_s:>9.1f} {row.ratio:>6.1f}x"
        )
    lines.append("")
    lines += [f"SSIM of prepared against full meshes at {size} px: {value:.4f}" for size, value in agreement.items()]
    lines.append("")
    first = next(iter(whole.values()))
    for name, value in whole.items():
        lines.append(f"end to end, 84 px, one core, {name}: {value:.1f} steps/s, {value / first:.1f}x")
    if beside:
        lines.append("")
    lines += [f"{cores} cores beside one, {name}: {value:.2f}x" for name, value in beside.items()]
    return "\n".join(lines)
