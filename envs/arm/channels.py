"""What happens between a policy and its robot: delays, noise, losses, play in the joints, pushes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.physics import (
    ActuationParams,
    FrameParams,
    MotorParams,
    ObservationParams,
    PushParams,
)
from calibration.world import WorldParams
from envs.arm.readings import Readings

Float = NDArray[np.float64]


class Channels:
    """The channels of one episode. Neutral values change nothing, to the bit, and draw no random numbers."""

    def __init__(self, joints: Sequence[str], objects: Sequence[str], period_s: float, timestep_s: float) -> None:
        """Keep what the numbers are about.

        Args:
            joints: names, in the order of every array.
            objects: names of the bodies in readings.
            period_s: of control.
            timestep_s: of physics.
        """
        self._joints, self._objects = list(joints), list(objects)
        self._period_s, self._timestep_s = period_s, timestep_s

    def begin(self, world: WorldParams, rng: np.random.Generator, positions: Float) -> None:
        """Begin an episode with the joints (J,) where they are."""
        self._rng, self._pushes = rng, world.pushes or PushParams()
        self._actuation = world.actuation or ActuationParams()
        self._last_action: Float | None = None
        named = {m.name: m for m in world.motors}
        motors = [named.get(name, MotorParams(name)) for name in self._joints]
        self._backlash = np.array([m.backlash_rad for m in motors])
        self._dead_band = np.array([m.dead_band_rad for m in motors])
        self._offset = np.array([m.offset_rad for m in motors])
        self._behind = self._held = positions.copy()
        self._pending: list[tuple[int, Float]] = []
        self._command, self._now = positions.copy(), 0
        self._readings = _Late(world.observation or ObservationParams(), self._offset, rng)
        frames = world.frames or FrameParams()
        # A picture shows where the joints are, whatever their encoders say.
        late = ObservationParams(frames.delay_s, frames.period_s, frames.drop_probability)
        self._frames = _Late(late, np.zeros(len(self._joints)), rng)
        self.see(None)

    # From the policy to the motors

    def action(self, action: Float) -> Float:
        """Return what is left of an action: noise on it, or the one before in its place."""
        a = self._actuation
        if a.noise:
            action = np.clip(action + a.noise * self._rng.standard_normal(action.shape), -1.0, 1.0)
        lost = a.hold_probability and self._rng.random() < a.hold_probability
        if self._last_action is None or not lost:
            self._last_action = action
        return self._last_action

    def commands(self, targets: Float, substeps: int) -> list[tuple[Float, int]]:
        """Return what the motors of a control period hold, one after the other, and for how many steps each.

        Args:
            targets: (J,), as the encoders would say it.
            substeps: of physics in the period.
        """
        wanted = targets - self._offset
        if self._dead_band.any():
            wanted = np.where(np.abs(wanted - self._held) < self._dead_band, self._held, wanted)
        self._held = wanted
        if self._backlash.any():
            half = self._backlash / 2
            self._behind = np.clip(self._behind, wanted - half, wanted + half)
            wanted = self._behind
        self._pending.append((self._now + round(self._actuation.delay_s / self._timestep_s), wanted.copy()))
        found: list[tuple[Float, int]] = []
        for _ in range(substeps):
            while self._pending and self._pending[0][0] <= self._now:
                self._command = self._pending.pop(0)[1]
            if found and found[-1][0] is self._command:
                found[-1] = (self._command, found[-1][1] + 1)
            else:
                found.append((self._command, 1))
            self._now += 1
        return found

    def pushes(self) -> dict[str, Float]:
        """Return the impulses (3,), N s, that objects get in this control period."""
        found = {}
        if self._pushes.rate_hz:
            for name in self._objects:
                if self._rng.random() < self._pushes.rate_hz * self._period_s:
                    angle = self._rng.uniform(-np.pi, np.pi)
                    found[name] = self._pushes.impulse_n_s * np.array([np.cos(angle), np.sin(angle), 0.0])
        return found

    # From the sensors to the policy

    def see(self, readings: Readings | None) -> None:
        """Take the true readings of the end of a control period; None forgets those of before."""
        now = self._now * self._timestep_s
        for late in (self._readings, self._frames):
            if readings is None:
                late.forget()
            else:
                late.take(now, readings)

    @property
    def seen(self) -> Readings:
        """What the policy gets to know of joints and objects."""
        return self._readings.newest()

    @property
    def pictured(self) -> Readings:
        """Where joints and objects are in the newest picture."""
        return self._frames.newest()


class _Late:
    """Readings that come late, not always, and with noise."""

    def __init__(self, params: ObservationParams, offset: Float, rng: np.random.Generator) -> None:
        self._params, self._offset, self._rng = params, offset, rng
        p = params
        self._noisy = bool(
            p.joint_noise_rad
            or p.joint_velocity_noise_rad_s
            or p.object_noise_m
            or p.object_rotation_noise_rad
            or any(p.object_bias_m)
            or offset.any()
        )
        self.forget()

    def forget(self) -> None:
        self._history: list[tuple[float, Readings]] = []
        self._taken_s = -np.inf
        self._seen: Readings | None = None

    def newest(self) -> Readings:
        assert self._seen is not None
        return self._seen

    def take(self, now_s: float, readings: Readings) -> None:
        p = self._params
        self._history.append((now_s, readings))
        wanted = now_s - p.delay_s
        if p.period_s:
            # A little more, so that a sum of periods is not just below itself.
            wanted = np.floor(wanted / p.period_s + 1e-6) * p.period_s
        while len(self._history) > 2 and self._history[1][0] <= wanted:
            self._history.pop(0)
        first = self._seen is None
        lost = not first and p.drop_probability and self._rng.random() < p.drop_probability
        if lost or (not first and wanted <= self._taken_s):
            return
        self._taken_s = wanted
        true = self._at(wanted)
        self._seen = self._disturbed(true) if self._noisy else true

    def _at(self, time_s: float) -> Readings:
        """Return the readings of a moment, between those of control periods by interpolation."""
        if not self._params.delay_s and not self._params.period_s:
            return self._history[-1][1]
        times = [t for t, _ in self._history]
        k = int(np.searchsorted(times, time_s + 1e-9, side="right"))
        if k == 0:
            return self._history[0][1]
        if k == len(times):
            return self._history[-1][1]
        share = (time_s - times[k - 1]) / (times[k] - times[k - 1])
        one, two = self._history[k - 1][1], self._history[k][1]
        return one if share < 1e-6 else _between(one, two, share)

    def _disturbed(self, true: Readings) -> Readings:
        p, rng = self._params, self._rng
        poses = true.body_poses.copy()
        poses[:, :3] += p.object_bias_m + p.object_noise_m * rng.standard_normal((len(poses), 3))
        if p.object_rotation_noise_rad and len(poses):
            turn = Rotation.from_rotvec(p.object_rotation_noise_rad * rng.standard_normal((len(poses), 3)))
            poses[:, 3:] = (turn * Rotation.from_quat(poses[:, 3:])).as_quat()
        joints = len(true.joint_positions)
        return Readings(
            true.joint_positions + self._offset + p.joint_noise_rad * rng.standard_normal(joints),
            true.joint_velocities + p.joint_velocity_noise_rad_s * rng.standard_normal(joints),
            poses,
            true.body_velocities,
        )


def _between(one: Readings, two: Readings, share: float) -> Readings:
    """Return the readings at a share of the way from one to the other."""

    def mixed(a: Float, b: Float) -> Float:
        return a + share * (b - a)

    poses = mixed(one.body_poses, two.body_poses)
    for k in range(len(poses)):
        poses[k, 3:] = _turned_between(one.body_poses[k, 3:], two.body_poses[k, 3:], share)
    return Readings(
        mixed(one.joint_positions, two.joint_positions),
        mixed(one.joint_velocities, two.joint_velocities),
        poses,
        mixed(one.body_velocities, two.body_velocities),
    )


def _turned_between(one: Float, two: Float, share: float) -> Float:
    """Return the unit quaternion at a share of the shorter way (Shoemake 1985); SciPy's takes 50 times as long."""
    cosine = float(one @ two)
    if cosine < 0.0:
        two, cosine = -two, -cosine
    if cosine > 1.0 - 1e-9:
        mixed = one + share * (two - one)
        return np.asarray(mixed / math.sqrt(float(mixed @ mixed)))
    angle = math.acos(cosine)
    return np.asarray((math.sin((1.0 - share) * angle) * one + math.sin(share * angle) * two) / math.sin(angle))
