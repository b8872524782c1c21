"""Episodes of an expert at the beginning of a replay buffer (Vecerik et al. 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np


def demonstrate(model: Any, env: Any, expert: Any, episodes: int) -> float:
    """Store episodes in which an expert acts, and return the share of them that ended at the goal.

    They are stored as if the model had acted, so hindsight relabels them too. Afterwards no random steps are taken.

    Args:
        model: off-policy, of Stable-Baselines3, that has not learned yet.
        env: its vector environment.
        expert: acts on the observations, with `predict`.
        episodes: how many in all.
    """
    model._setup_learn(1, None, True)
    done = solved = 0
    while done < episodes:
        actions = np.clip(expert.predict(model._last_obs)[0], -1.0, 1.0).astype(np.float32)
        scaled = model.policy.scale_action(actions)
        after, rewards, dones, infos = env.step(actions)
        model._store_transition(model.replay_buffer, scaled, after, rewards, dones, infos)
        done += int(np.sum(dones))
        solved += sum(bool(info.get("is_success")) for info, over in zip(infos, dones, strict=True) if over)
    model.learning_starts = 0
    model._last_obs = None
    return solved / done
