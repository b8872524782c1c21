"""Simulated worlds that are a deterministic function of `calibration.world.WorldParams`."""
