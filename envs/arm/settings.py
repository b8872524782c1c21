"""How physics is stepped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PhysicsSettings:
    """PyBullet's solver and the motors' stiffness.

    The defaults are the fastest of those measured (`scripts/benchmark_environments.py`) with which scripted grasps hold
    30 times in 30 and towers are built as often as with the finest steps. Steps of 8 or 10 ms are up to twice as fast,
    follow the tool as well and hold a single cube, but towers fall.

    Attributes:
        timestep_s: one step of the solver.
        iterations: of the constraint solver, at most.
        residual: the solver stops below this change of velocity.
        position_gain_per_s: a motor closes this share of its error a second, as long as its force suffices.
        velocity_gain: share of the velocity error that a motor removes in a step.
    """

    timestep_s: float = 0.004
    iterations: int = 50
    residual: float = 1e-3
    position_gain_per_s: float = 50.0
    velocity_gain: float = 1.0

    def __post_init__(self) -> None:
        """Check that time goes on."""
        if not 0 < self.timestep_s <= 0.02:
            raise ValueError(f"timestep_s must be above 0 and at most 0.02, got {self.timestep_s:g}")
        if self.iterations < 1:
            raise ValueError(f"iterations must be 1 or more, got {self.iterations}")

    def substeps(self, control_hz: float) -> int:
        """Return the solver's steps in a period of control.

        Raises:
            ValueError: a period is no whole number of steps.
        """
        steps = 1.0 / (control_hz * self.timestep_s)
        if steps < 0.999 or abs(steps - round(steps)) > 1e-6:
            raise ValueError(
                f"control_hz must make a whole number of physics steps of {self.timestep_s:g} s, got {control_hz:g}, "
                f"which makes {steps:.3f}"
            )
        return round(steps)
