"""The held-out simulation: stations with hidden parameters that training never sees, for want of hardware."""

from envs.standin.pictures import write_standin
from envs.standin.station import Station

__all__ = ["Station", "write_standin"]
