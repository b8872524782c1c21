"""Simulated worlds that are a deterministic function of `calibration.world.WorldParams`."""

from envs.registration import register_envs

register_envs()
