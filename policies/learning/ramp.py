"""Randomization that grows as training goes."""

from __future__ import annotations

from stable_baselines3.common.callbacks import BaseCallback

# Strength changes in so many steps at most, so that environments are not told at every one.
_LEVELS = 50


def strength_at(step: int, steps: int, share: float) -> float:
    """Return the strength of randomization, 0 to 1, for episodes that begin after a step.

    Args:
        step: of training.
        steps: of the whole training.
        share: of it in which the strength grows from 0 to 1; 0 for full strength from the start.
    """
    if share <= 0.0:
        return 1.0
    return min(int(_LEVELS * step / (share * steps)) / _LEVELS, 1.0)


class RampRandomization(BaseCallback):
    """Tells the environments, whose `set_strength` takes it, how strongly the next episodes vary."""

    def __init__(self, steps: int, share: float) -> None:
        """Keep the schedule; arguments as of `strength_at`."""
        super().__init__()
        self._steps, self._share = steps, share
        self.strength = -1.0

    def _on_step(self) -> bool:
        strength = strength_at(self.num_timesteps, self._steps, self._share)
        if strength != self.strength:
            self.strength = strength
            self.training_env.env_method("set_strength", strength)
            self.logger.record("train/randomization", strength)
        return True
