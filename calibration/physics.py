"""What only tasks have of a station: everything physical, and cameras that move; with units, neutral by default."""

from __future__ import annotations

from dataclasses import dataclass

Vector3 = tuple[float, float, float]

STANDARD_GRAVITY_M_S2 = 9.81


@dataclass(frozen=True)
class ContactParams:
    """What touches what. The coefficients of two bodies that touch are multiplied (Bullet).

    Attributes:
        name: of a body; "robot" is the fingers.
        friction: lateral Coulomb friction.
        spinning_friction: torsional friction about the contact's normal, metres.
        rolling_friction: torsional friction across the contact's normal, metres.
        restitution: 0 to 1: share of the speed that is left after an impact.
    """

    name: str
    friction: float = 1.0
    spinning_friction: float = 0.0
    rolling_friction: float = 0.0
    restitution: float = 0.0


@dataclass(frozen=True)
class MassParams:
    """How heavy something movable is.

    Attributes:
        name: of a body; "robot" is every link of the arm.
        mass_scale: factor on the mass, and with it on the inertia.
        inertia_scale: factor on the inertia on top of that.
        linear_damping: drag D of a body: dv/dt = -D (1 + |v|) v, with v in m/s (Bullet's multi-bodies).
        angular_damping: the same for the angular velocity, rad/s.
    """

    name: str
    mass_scale: float = 1.0
    inertia_scale: float = 1.0
    linear_damping: float = 0.04
    angular_damping: float = 0.04


@dataclass(frozen=True)
class MotorParams:
    """One driven joint; rad is m for a prismatic one.

    Attributes:
        name: of the joint.
        gain_scale: factor on the position gain.
        damping_scale: factor on the velocity gain.
        torque_scale: factor on the highest torque or force.
        joint_damping: viscous friction of the joint, N m s/rad.
        backlash_rad: play between motor and joint: the joint follows when the motor has come this far after turning
            round.
        dead_band_rad: a new target nearer than this to the old one is ignored.
        offset_rad: what the joint's encoder says too much.
    """

    name: str
    gain_scale: float = 1.0
    damping_scale: float = 1.0
    torque_scale: float = 1.0
    joint_damping: float = 0.0
    backlash_rad: float = 0.0
    dead_band_rad: float = 0.0
    offset_rad: float = 0.0


@dataclass(frozen=True)
class GravityParams:
    """Gravity as the robot's base sees it.

    Attributes:
        magnitude_m_s2: how strong.
        tilt_rad: rotation of its direction about the world's x and y, as of a base that is not level.
    """

    magnitude_m_s2: float = STANDARD_GRAVITY_M_S2
    tilt_rad: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class ActuationParams:
    """What becomes of an action before it reaches the motors.

    Attributes:
        delay_s: from the decision to the motors.
        noise: standard deviation of what is added to each element, as a share of a full action.
        hold_probability: how often an action is lost and the one before it stays.
    """

    delay_s: float = 0.0
    noise: float = 0.0
    hold_probability: float = 0.0


@dataclass(frozen=True)
class ObservationParams:
    """What becomes of joint and object readings before they are seen; pictures have `FrameParams`.

    Attributes:
        delay_s: from the moment to when it is seen.
        period_s: between two readings; 0: one for every action.
        drop_probability: how often a reading is lost and the one before it stays.
        joint_noise_rad: standard deviation of joint positions, rad or m.
        joint_velocity_noise_rad_s: the same of joint velocities.
        object_noise_m: the same of each coordinate of an object.
        object_rotation_noise_rad: the same of an object's rotation vector.
        object_bias_m: added to the position of every object.
    """

    delay_s: float = 0.0
    period_s: float = 0.0
    drop_probability: float = 0.0
    joint_noise_rad: float = 0.0
    joint_velocity_noise_rad_s: float = 0.0
    object_noise_m: float = 0.0
    object_rotation_noise_rad: float = 0.0
    object_bias_m: Vector3 = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class FrameParams:
    """When the camera's pictures arrive.

    Attributes:
        delay_s: from the moment to when its picture is seen.
        period_s: between two pictures; 0: one for every action.
        drop_probability: how often a picture is lost and the one before it stays.
    """

    delay_s: float = 0.0
    period_s: float = 0.0
    drop_probability: float = 0.0


@dataclass(frozen=True)
class PushParams:
    """Pushes out of nowhere, horizontal and in a random direction, on each object.

    Attributes:
        rate_hz: mean number a second on each.
        impulse_n_s: of each push.
    """

    rate_hz: float = 0.0
    impulse_n_s: float = 0.0


@dataclass(frozen=True)
class MountParams:
    """How far a mounted camera is from where the rig says.

    Attributes:
        name: of the camera.
        shift_m: displacement along the nominal camera's own x, y, z.
        tilt_rad: rotation vector about the nominal camera's own axes.
    """

    name: str
    shift_m: Vector3 = (0.0, 0.0, 0.0)
    tilt_rad: Vector3 = (0.0, 0.0, 0.0)
