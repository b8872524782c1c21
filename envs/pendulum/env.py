"""Swing a pendulum up and keep it there, as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.pendulum import PendulumRig, load_pendulum
from envs.pendulum.physics import TIMESTEP_S, PendulumPhysics

RigSource = Callable[[np.random.Generator], PendulumRig]
# Bound of observed velocities, rad/s; what is beyond is cut off.
_FASTEST = 60.0
# Weights of velocity and torque in the reward, as in Gymnasium's Pendulum.
_OF_VELOCITY, _OF_TORQUE = 0.1, 0.001
_UPRIGHT_RAD, _SLOW_RAD_S = 0.2, 1.0
_PICTURE_PX = 240


class PendulumEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """A pendulum of a rig.

    Observation, float32 (3 J,): cosines, sines and velocities of the joints. Action (M,): -1 to 1 of the torque limit
    of each joint with a motor. Reward: minus the mean over links of
    (angle to upright)^2 + 0.1 velocity^2 + 0.001 torque^2.
    `info["is_success"]` says whether all links stand within 0.2 rad of upright and slower than 1 rad/s.

    An episode begins at rest within 0.1 rad of hanging; `reset(options={"positions": ..., "velocities": ...})` begins
    elsewhere, and `options={"rig": ...}` with other values.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012 - as Gymnasium has it

    def __init__(
        self,
        rig: str | PendulumRig = "simple_pendulum",
        *,
        control_hz: float = 50.0,
        rigs: RigSource | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Load the pendulum.

        Args:
            rig: a shipped pendulum's name, a TOML file, or a rig.
            control_hz: actions a second.
            rigs: draws the rig of an episode from its random generator; default: always the nominal one.
            render_mode: "rgb_array" or none.

        Raises:
            InputError: anything of this cannot be.
        """
        if render_mode not in (None, "rgb_array"):
            raise InputError(f"render_mode must be None or rgb_array, got '{render_mode}'")
        steps = 1.0 / (control_hz * TIMESTEP_S)
        if steps < 0.999 or abs(steps - round(steps)) > 1e-6:
            raise InputError(f"control_hz must make a whole number of steps of {TIMESTEP_S:g} s, got {control_hz:g}")
        self.nominal = load_pendulum(rig) if isinstance(rig, str) else rig
        self.rig, self.render_mode = self.nominal, render_mode
        self._rigs, self._substeps = rigs, round(steps)
        self.physics = PendulumPhysics(self.rig)
        self._driven = np.array([k for k, link in enumerate(self.rig.links) if link.torque_limit])
        count = len(self.rig.links)
        bound = np.array([1.0] * (2 * count) + [_FASTEST] * count, np.float32)
        self.observation_space = spaces.Box(-bound, bound, dtype=np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (len(self._driven),), np.float32)

    def set_strength(self, strength: float) -> None:
        """Let the rigs of the next episodes vary this strongly, 0 to 1.

        Raises:
            InputError: there is nothing that varies.
        """
        if not hasattr(self._rigs, "strength"):
            raise InputError("strength is of pendulums that are drawn from a spread, and this environment has none")
        self._rigs.strength = strength  # type: ignore[union-attr]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode.

        Raises:
            InputError: an option that there is not, or one of another length.
        """
        super().reset(seed=seed)
        options = options or {}
        if unknown := set(options) - {"positions", "velocities", "rig"}:
            raise InputError(f"reset takes the options positions, velocities and rig, got '{min(unknown)}'")
        count = len(self.nominal.links)
        near = self.np_random.uniform(-0.1, 0.1, count)
        rig = options.get("rig") or (self.nominal if self._rigs is None else self._rigs(self.np_random))
        if len(rig.links) != count:
            raise InputError(f"the rig of an episode must have {count} links, got {len(rig.links)}")
        state = []
        for name, value in (("positions", near), ("velocities", np.zeros(count))):
            given = np.asarray(options.get(name, value), np.float64)
            if given.shape != (count,) or not np.isfinite(given).all():
                raise InputError(f"{name} must be {count} finite numbers, got {given.tolist()}")
            state.append(given)
        if rig != self.rig:
            self.physics.close()
            self.rig, self.physics = rig, PendulumPhysics(rig)
        self.physics.place(*state)
        return self._observe(), {"is_success": self.is_upright(), "rig": self.rig}

    def step(self, action: NDArray[Any]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Hold torques for one period of control.

        Raises:
            InputError: an action of another shape, or with a value that is not finite.
        """
        given = np.asarray(action, np.float64)
        if given.shape != self.action_space.shape or not np.isfinite(given).all():
            raise InputError(f"action must be {len(self._driven)} finite numbers, got {given.tolist()}")
        limits = np.array([link.torque_limit for link in self.rig.links])
        torques = np.zeros(len(limits))
        torques[self._driven] = np.clip(given, -1.0, 1.0) * limits[self._driven]
        self.physics.step(torques, self._substeps)
        off, velocities = self._off_upright()
        cost = np.mean(off**2 + _OF_VELOCITY * velocities**2 + _OF_TORQUE * torques**2)
        return self._observe(), -float(cost), False, False, {"is_success": self.is_upright(), "rig": self.rig}

    def is_upright(self) -> bool:
        """Return whether all links stand upright and slow."""
        off, velocities = self._off_upright()
        return bool((np.abs(off) < _UPRIGHT_RAD).all() and (np.abs(velocities) < _SLOW_RAD_S).all())

    def _off_upright(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the angles of the links to upright, -pi to pi, and their velocities, in the room."""
        positions, velocities = self.physics.read()
        angles = np.cumsum(positions) - np.pi
        return (angles + np.pi) % (2 * np.pi) - np.pi, np.cumsum(velocities)

    def _observe(self) -> NDArray[np.float32]:
        positions, velocities = self.physics.read()
        fast = np.clip(velocities, -_FASTEST, _FASTEST)
        return np.concatenate([np.cos(positions), np.sin(positions), fast]).astype(np.float32)

    def render(self) -> NDArray[np.uint8] | None:
        """Return a drawing, uint8 (240, 240, 3), or nothing without a render mode."""
        if self.render_mode is None:
            return None
        picture = np.full((_PICTURE_PX, _PICTURE_PX, 3), 245, np.uint8)
        scale = 0.45 * _PICTURE_PX / sum(link.length_m for link in self.rig.links)
        at, angles = np.full(2, _PICTURE_PX / 2), np.cumsum(self.physics.read()[0])
        for link, angle in zip(self.rig.links, angles, strict=True):
            end = at + scale * link.length_m * np.array([np.sin(angle), np.cos(angle)])
            one, two = ((round(x), round(y)) for x, y in (at.tolist(), end.tolist()))
            cv2.line(picture, one, two, (70, 90, 140), 6, cv2.LINE_AA)
            cv2.circle(picture, one, 6, (40, 40, 40), -1, cv2.LINE_AA)
            at = end
        cv2.circle(picture, two, 8, (170, 70, 60), -1, cv2.LINE_AA)
        return picture

    def close(self) -> None:
        """Release physics; twice is fine."""
        self.physics.close()
