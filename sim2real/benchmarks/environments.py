"""Steps a second of the arm environments beside panda-gym's, and physics settings with what they are worth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import gymnasium
import numpy as np

from calibration.errors import InputError
from calibration.records import write_json
from envs.arm.env import ArmEnv
from envs.arm.settings import PhysicsSettings
from envs.registration import register_envs
from envs.simulation import import_pybullet, without_chatter
from envs.vector.env import ArmVectorEnv
from policies.evaluation import run_episodes
from policies.scripted import make_expert
from sim2real.benchmarks.apart import calls_per_s
from sim2real.benchmarks.config import BenchmarkConfig
from sim2real.runs import system_info

# Settings that are compared with the default: solver steps, iterations, residual.
_SETTINGS = (
    (0.002, 50, 1e-7),
    (0.002, 50, 1e-3),
    (0.004, 50, 1e-7),
    (0.004, 50, 1e-3),
    (0.004, 20, 1e-3),
    (0.008, 50, 1e-3),
    (0.01, 50, 1e-3),
    (0.02, 50, 1e-3),
)
_GRASPS = 30
_HELD_STEPS = 50
_TOWERS = 50
# Environments of each worker process.
_EACH = 8


@dataclass(frozen=True)
class Pair:
    """Two contenders, measured in turns: medians of both, and the median of the rounds' ratios."""

    what: str
    ours: float
    peer: float
    ratio: float


def benchmark(config: BenchmarkConfig) -> str:
    """Run the benchmark, write its figures if asked to, and return them as text.

    Raises:
        InputError: panda-gym is missing, rounds and seconds that cannot be, or a file that exists.
    """
    if config.out is not None and config.out.exists():
        raise InputError(f"--out must be a new file, got {config.out}")
    if config.rounds < 1 or not config.seconds > 0:
        raise InputError(f"rounds must be 1 or more and seconds above 0, got {config.rounds} and {config.seconds:g}")
    register_envs()
    import_pybullet()
    try:
        import panda_gym  # noqa: F401 - registers its ids
    except ImportError:
        raise InputError("this needs panda-gym: pip install 'sim2real[peers]'") from None
    pairs = [_paired(config, f"{task}: steps/s, one core", *_steppers(task)) for task in ("Reach", "Push")]
    pairs.append(_paired(config, "Push with 84x84 pictures: steps/s, one core", _pixel_loop(), _tiny_loop()))
    pairs.append(_paired(config, "the same, 8 environments drawn together", _pixel_group(4), _tiny_loop()))
    pairs.append(_paired(config, "the same, 1 sample a pixel as the peer's", _pixel_group(1), _tiny_loop()))
    pairs.append(_paired(config, "one environment, 1 sample a pixel", _pixel_loop(1), _tiny_loop()))
    pairs.append(_paired(config, "Push: resets/s", *_resetters()))
    pairs.append(_processes(config, "state"))
    pairs.append(_processes(config, "pixels"))
    rows = [_settings_row(*s) for s in _SETTINGS]
    if config.out is not None:
        write_json(config.out, {"pairs": [asdict(p) for p in pairs], "settings": rows, "system": system_info()})
    return _text(pairs, rows)


def _paired(config: BenchmarkConfig, what: str, ours: Contender, peer: Contender) -> Pair:
    """Measure in turns; contenders do one step a call, or say how many they do."""
    found = [
        (calls_per_s(ours.step, config.seconds) * ours.steps, calls_per_s(peer.step, config.seconds) * peer.steps)
        for _ in range(config.rounds)
    ]
    ours.close()
    peer.close()
    return Pair(what, median(a for a, _ in found), median(b for _, b in found), median(a / b for a, b in found))


@dataclass(frozen=True)
class Contender:
    """What is timed.

    Attributes:
        step: is called again and again.
        close: is called at the end.
        steps: of an environment in each call.
    """

    step: Callable[[], object]
    close: Callable[[], object]
    steps: int = 1


def _stepper(env: Any, look: Callable[[], object] | None = None) -> Contender:
    """Return random actions with a reset at each end, as any user's loop has them."""
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (997, *env.action_space.shape)).astype(np.float32)
    env.reset(seed=0)
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        _, _, terminated, truncated, _ = env.step(actions[count % len(actions)])
        if look is not None:
            look()
        if terminated or truncated:
            env.reset()

    return Contender(step, env.close)


def _steppers(task: str) -> tuple[Contender, Contender]:
    with without_chatter():
        theirs = gymnasium.make(f"Panda{task}-v3")
    return _stepper(gymnasium.make(f"sim2real/Panda{task}-v0")), _stepper(theirs)


def _pixel_loop(samples: int = 4) -> Contender:
    return _stepper(gymnasium.make("sim2real/PandaPush-v0", observation="pixels", samples=samples))


def _pixel_group(samples: int) -> Contender:
    return _vector(ArmVectorEnv(_EACH, workers=0, task="Push", observation="pixels", samples=samples))


def _tiny_loop() -> Contender:
    with without_chatter():
        env = gymnasium.make(
            "PandaPush-v3", render_mode="rgb_array", renderer="Tiny", render_width=84, render_height=84
        )
    return _stepper(env, env.render)


def _resetters() -> tuple[Contender, Contender]:
    ours = gymnasium.make("sim2real/PandaPush-v0")
    with without_chatter():
        theirs: Any = gymnasium.make("PandaPush-v3")
    return Contender(ours.reset, ours.close), Contender(theirs.reset, theirs.close)


def _processes(config: BenchmarkConfig, observation: str) -> Pair:
    """Compare two worker processes with one, each with the same number of environments."""

    def made(workers: int) -> Contender:
        return _vector(ArmVectorEnv(_EACH * workers, workers=workers, task="Push", observation=observation))

    return _paired(
        config, f"Push, {observation}, vector environment: two processes beside one, steps/s", made(2), made(1)
    )


def _vector(env: ArmVectorEnv) -> Contender:
    env.reset(seed=0)
    actions = np.random.default_rng(0).uniform(-1, 1, (97, env.num_envs, 3)).astype(np.float32)
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        env.step(actions[count % len(actions)])

    return Contender(step, env.close, env.num_envs)


def _settings_row(timestep_s: float, iterations: int, residual: float) -> dict[str, float]:
    """Return speed, how closely the tool follows its actions, and scripted grasps that hold for two seconds."""
    settings = PhysicsSettings(timestep_s, iterations, residual)
    env = ArmEnv(task="PickAndPlace", physics=settings)
    expert, held = make_expert(env), 0
    errors = []
    for seed in range(_GRASPS):
        # A goal in the air, so that what is not held is not there.
        place = env.reset(seed=seed)[0]["desired_goal"]
        goal = np.array([place[0], place[1], env.task.region.table_z_m + 0.2])
        seen, _ = env.reset(seed=seed, options={"goal": goal})
        near = []
        for _ in range(env.task.horizon + _HELD_STEPS):
            before = env.tool_position()
            action = expert.predict(seen)[0]
            seen = env.step(action)[0]
            wanted = np.clip(before + 0.05 * np.clip(action[:3], -1, 1), env.controller.low, env.controller.high)
            errors.append(float(np.linalg.norm(env.tool_position() - wanted)))
            near.append(env.is_success())
        held += all(near[-_HELD_STEPS:])
    built = _towers(settings)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (1000, 4))
    env.reset(seed=0)
    began = time.perf_counter()
    for action in actions:
        env.step(action)
    speed = len(actions) / (time.perf_counter() - began)
    env.close()
    return {
        "timestep_ms": timestep_s * 1e3,
        "iterations": iterations,
        "residual": residual,
        "steps_per_s": round(speed),
        "tracking_mm": round(median(errors) * 1e3, 2),
        "held": held,
        "towers": built,
    }


def _towers(settings: PhysicsSettings) -> int:
    """Return how many towers of two the expert builds."""
    env = ArmEnv(task="Stack", physics=settings)
    limited = gymnasium.wrappers.TimeLimit(env, env.task.horizon)
    records = run_episodes(make_expert(env), limited, list(range(_TOWERS)))
    env.close()
    return sum(r.success for r in records)


def _text(pairs: list[Pair], rows: list[dict[str, float]]) -> str:
    lines = [f"{'':<72} {'ours':>8} {'peer':>8}  ratio"]
    lines += [f"{p.what:<72} {p.ours:>8.0f} {p.peer:>8.0f}  {p.ratio:>5.2f}" for p in pairs]
    lines += [
        "",
        "physics: step ms, iterations, residual: steps/s, tool behind its target mm, grasps held of 30, towers of 50",
    ]
    for r in rows:
        lines.append(
            f"  {r['timestep_ms']:>4.0f} {r['iterations']:>4.0f} {r['residual']:>8.0e}: "
            f"{r['steps_per_s']:>6.0f} {r['tracking_mm']:>6.2f} {r['held']:>4.0f} {r['towers']:>4.0f}"
        )
    return "\n".join(lines)
