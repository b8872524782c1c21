"""The held-out simulation: stations with hidden parameters that training never sees, for want of hardware."""

from envs.standin.pictures import write_standin

__all__ = ["write_standin"]
