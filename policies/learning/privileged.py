"""Asymmetric training: the critic sees the true state, the actor what the robot has (Pinto et al. 2018)."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

TRUE_STATE = "true_state"


class WithTrueState(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Adds the undisturbed state of an arm environment to its observation, for the critic."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Add it to the space."""
        super().__init__(env)
        inner: Any = env.unwrapped
        parts = dict(env.observation_space.spaces)  # type: ignore[attr-defined]
        self.observation_space = spaces.Dict({**parts, TRUE_STATE: inner.true_state_space})

    def observation(self, observation: Any) -> Any:
        """Return the observation with the state."""
        inner: Any = self.env.unwrapped
        return {**observation, TRUE_STATE: np.asarray(inner.true_state())}


def without_true_state(space: spaces.Dict) -> spaces.Dict:
    """Return the space that the actor sees."""
    return spaces.Dict({name: part for name, part in space.spaces.items() if name != TRUE_STATE})


class ActorView(BaseFeaturesExtractor):
    """Another extractor that never sees the true state."""

    def __init__(self, observation_space: spaces.Dict, inner: BaseFeaturesExtractor) -> None:
        """Wrap it."""
        super().__init__(observation_space, inner.features_dim)
        self.inner = inner

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Return its features of what is left."""
        found: Tensor = self.inner({name: value for name, value in observations.items() if name != TRUE_STATE})
        return found


def with_blind_actor(policy_class: Any) -> Any:
    """Return a policy class of SAC, TD3 or TQC whose actor does not see the true state."""

    class BlindActor(policy_class):  # type: ignore[misc]
        def make_actor(self, features_extractor: Any = None) -> Any:
            seen = without_true_state(self.observation_space)
            inner = self.features_extractor_class(seen, **self.features_extractor_kwargs)
            return super().make_actor(ActorView(self.observation_space, inner))

    return BlindActor
