"""An arm with a task, episode by episode, without Gymnasium: begin, advance, look."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.world import WorldParams
from envs.arm.channels import Channels
from envs.arm.control import Control, Controller
from envs.arm.engine import Physics
from envs.arm.eyes import sized_like, world_of
from envs.arm.observation import Observer
from envs.arm.physics import PhysicsWorld
from envs.arm.reach import check_reach
from envs.arm.readings import Readings, SimulatedSensors
from envs.arm.settings import PhysicsSettings
from envs.arm.tool_kinematics import ToolKinematics
from envs.scene_shapes import half_height
from envs.tasks import Reward, Task, make_task

Float = NDArray[np.float64]
ObservationKind = Literal["state", "pixels", "both"]
Observation = dict[str, NDArray[Any]]
WorldSource = Callable[[np.random.Generator], WorldParams]

# Bounds of observed numbers (metres, radians, a second); what is beyond is cut off.
LARGEST = 100.0
# Landmarks that every arm has, beside the objects of its task; the second is this far behind the tool.
ARM_LANDMARKS = 3
_HAND_M = 0.1


class TaskWorld:
    """Physics, control, sensors and goals of one task in one rig.

    Attributes:
        task: what is to be done.
        rig: the station, with the task's own bodies.
        world: of this episode, as it began.
        goal: of this episode, (G,).
        episode_seed: from which the episode follows, together with its world.
        worlds: draws the world of an episode, or None for the nominal one.
        readings: the truth, now.
        channels: what becomes of actions and readings on their way.
    """

    def __init__(
        self,
        rig: str | Rig,
        task: str,
        observation: ObservationKind,
        control: Control,
        reward: Reward,
        control_hz: float,
        worlds: WorldSource | None,
        physics: PhysicsSettings | None,
    ) -> None:
        """Load the station; see `ArmEnv`.

        Raises:
            InputError: anything of this cannot be, in one line.
        """
        for name, value, known in (
            ("observation", observation, get_args(ObservationKind)),
            ("reward", reward, get_args(Reward)),
        ):
            if value not in known:
                raise InputError(f"{name} must be one of {', '.join(known)}, got '{value}'")
        settings = physics or PhysicsSettings()
        try:
            self._substeps = settings.substeps(control_hz)
        except ValueError as error:
            raise InputError(str(error)) from None
        self.task: Task = make_task(task, load_rig(rig) if isinstance(rig, str) else rig)
        self.rig = self.task.rig
        self.observation_kind: ObservationKind = observation
        self.reward_kind: Reward = reward
        self.worlds = worlds
        self._nominal = self.task.nominal_world()
        self.physics: Physics = self.make_physics(settings)
        self.sensors = SimulatedSensors(self.physics)
        self._prepare_arm(control, 1.0 / control_hz)
        self.channels = Channels(self.physics.joints, self.task.objects, 1.0 / control_hz, settings.timestep_s)
        self._saved: dict[int, tuple[Float, WorldParams]] = {}
        try:
            rest = self._home[[self.physics.joints.index(name) for name in self.kinematics.joints]]
            check_reach(self.task, self.kinematics, self.controller, rest)
        except InputError:
            self.physics.close()
            raise
        self.begin(0)

    def make_physics(self, settings: PhysicsSettings) -> Physics:
        """Return the engine that moves arm and bodies."""
        return PhysicsWorld(self.rig, settings, self.task.objects)

    def _prepare_arm(self, control: Control, period_s: float) -> None:
        robot = self.rig.robot
        assert robot is not None
        assert robot.workspace is not None
        joints, motors = self.physics.joints, self.physics.motors
        self.kinematics = ToolKinematics(self.rig, {name: (m.low, m.high) for name, m in motors.items()})
        start = {j.name: j.position for j in self._nominal.joints} | dict(robot.start)
        if robot.gripper is not None:
            start.update(robot.gripper.open if self.task.uses_gripper else robot.gripper.closed)
        self._home = np.array([start[name] for name in joints])
        self.controller = Controller(
            control,
            self.kinematics,
            motors,
            self._home,
            robot.workspace,
            robot.gripper,
            self.task.uses_gripper,
            period_s,
        )
        gripper = robot.gripper if self.task.uses_gripper else None
        self.observer = Observer(self.kinematics, joints, gripper, self.task.objects)

    def begin(self, seed: int, world: WorldParams | None = None, goal: Sequence[float] | None = None) -> None:
        """Begin an episode.

        Args:
            seed: of objects, goal and world.
            world: in place of a drawn one; where the objects start still follows from the seed.
            goal: (G,), in place of a random one.

        Raises:
            InputError: a goal of another length.
        """
        self.episode_seed = seed
        rng = np.random.default_rng(seed)
        # Each its own generator, so that the start does not depend on how many numbers a world takes.
        start_rng, world_rng, channel_rng = rng.spawn(3)
        if world is None:
            world = self._nominal if self.worlds is None else self.worlds(world_rng)
        heights = np.array([half_height(self.rig, world.body(name)) for name in self.task.objects])
        start = self.task.start(start_rng, heights)
        self.goal = start.goal if goal is None else np.array(goal, np.float64)
        if self.goal.shape != start.goal.shape:
            raise InputError(f"goal must have {len(start.goal)} numbers, got {self.goal.size}")
        self.world = self._placed(world, start.objects_m)
        self.physics.place(self.world, self._home)
        self.controller.reset(self._home)
        self.channels.begin(self.world, channel_rng, self._home)
        self._look()

    def _look(self) -> None:
        self.readings = self.sensors.read()
        self.channels.see(self.readings)

    def _placed(self, world: WorldParams, objects_m: Float) -> WorldParams:
        """Return the world with the task's objects where they start, and without the rig's other objects."""
        where = dict(zip(self.task.objects, objects_m.tolist(), strict=True))
        bodies = []
        for body in world.bodies:
            if body.name in where:
                nominal = self.rig.body(body.name)
                x, y, z = where[body.name]
                body = dataclasses.replace(body, position_m=(x, y, z), rpy_rad=nominal.rpy_rad, present=True)
            elif body.role == "object":
                body = dataclasses.replace(body, present=False)
            bodies.append(body)
        return dataclasses.replace(world, bodies=tuple(bodies))

    def advance(self, action: NDArray[Any]) -> None:
        """Act for one period of control.

        Raises:
            InputError: an action of another shape, or with a value that is not finite.
        """
        given = np.asarray(action, np.float64)
        if given.shape != (self.controller.size,):
            raise InputError(f"action must have shape {(self.controller.size,)}, got {given.shape}")
        if not np.isfinite(given).all():
            raise InputError(f"action must be finite, got {given.tolist()}")
        channels = self.channels
        done = channels.action(np.clip(given, -1.0, 1.0))
        impulses = channels.pushes()
        for command, steps in channels.commands(
            self.controller.targets(done, channels.seen.joint_positions), self._substeps
        ):
            self.physics.set_targets(command)
            self.physics.step(steps, impulses)
            impulses = {}
        self._look()

    def state_observation(self) -> Observation:
        """Return the observation without pictures: what the sensors say, which `channels` may make late or noisy."""
        readings = self.channels.seen
        robot_only = self.observation_kind == "pixels"
        vector = self.observer.robot(readings) if robot_only else self.observer.vector(readings)
        found = {"observation": _bounded(vector), "desired_goal": self.goal.astype(np.float32)}
        if not robot_only:
            found["achieved_goal"] = _bounded(self._achieved(readings))
        return found

    def scene_world(self, world: WorldParams | None = None) -> WorldParams:
        """Return the world with the arm and the objects where they are now, for a renderer.

        Args:
            world: in place of this episode's; its bodies get the sizes that they have here.
        """
        return self._scene(self.readings, world)

    def pictured_world(self) -> WorldParams:
        """Return the same of the moment of the camera's newest picture, which `channels` may make late."""
        return self._scene(self.channels.pictured, None)

    def _scene(self, readings: Readings, world: WorldParams | None) -> WorldParams:
        shown = self.world if world is None else sized_like(world, self.world)
        return world_of(shown, readings, self.physics.joints, self.task.objects)

    def landmarks(self) -> Float:
        """Return points that an eye can find, (L, 3) in the world: objects, tool, hand behind it, robot's base."""
        tool, rotation = self.observer.tool_pose(self.readings)
        robot = self.rig.robot
        assert robot is not None
        points = [tool, tool - _HAND_M * rotation[:, 2], np.array(robot.position_m)]
        return np.concatenate([self.readings.body_poses[:, :3], points])

    # Goals

    def achieved_goal(self) -> Float:
        """Return what is compared with the goal, (G,); the truth, whatever the sensors say."""
        return self._achieved(self.readings)

    def _achieved(self, readings: Readings) -> Float:
        return self.task.achieved(self.observer.tool(readings)[0], readings.body_poses[:, :3])

    def is_success(self) -> bool:
        """Return whether the goal is reached now."""
        return bool(self.task.is_success(self.achieved_goal(), self.goal))

    def reward(self) -> float:
        """Return the reward of the present state."""
        return float(self.task.reward(self.reward_kind, self.achieved_goal(), self.goal))

    def rewards(self, achieved_goal: Float, desired_goal: Float, info: Any = None) -> NDArray[np.float32]:
        """Return the rewards of goals (..., G), as hindsight replay needs them."""
        return self.task.reward(self.reward_kind, achieved_goal, desired_goal)

    # The true state

    def tool_position(self) -> Float:
        """Return where the tool is in the world, (3,) metres."""
        return self.observer.tool(self.readings)[0].copy()

    def object_position(self, name: str) -> Float:
        """Return where an object is in the world, (3,) metres."""
        return self.readings.body_poses[self.task.objects.index(name), :3].copy()

    def gripper_width(self) -> float:
        """Return the width between the finger tips, metres."""
        return self.observer.gripper_width(self.readings)

    def true_state(self) -> NDArray[np.float32]:
        """Return joint positions and velocities, tool and objects, undisturbed, without the goal, in one vector."""
        truth = self.sensors.read()
        return _bounded(np.concatenate([truth.joint_positions, truth.joint_velocities, self.observer.vector(truth)]))

    # Going back, as in panda-gym

    def save_state(self) -> int:
        """Return the number of a copy of the present state."""
        number = self.physics.save()
        self._saved[number] = (self.goal.copy(), self.world)
        return number

    def restore_state(self, state_id: int) -> None:
        """Go back to a saved state.

        Raises:
            InputError: there is no such state.
        """
        if state_id not in self._saved:
            raise InputError(f"state must be one of {', '.join(map(str, self._saved)) or 'none yet'}, got {state_id}")
        self.goal, self.world = self._saved[state_id][0].copy(), self._saved[state_id][1]
        self.physics.restore(state_id)
        self.channels.see(None)
        self._look()
        self.controller.reset(self.readings.joint_positions)
        self.physics.set_targets(self.readings.joint_positions)

    def remove_state(self, state_id: int) -> None:
        """Drop a saved state."""
        self._saved.pop(state_id)
        self.physics.forget(state_id)


def _bounded(vector: Float) -> NDArray[np.float32]:
    return np.clip(vector, -LARGEST, LARGEST).astype(np.float32)
