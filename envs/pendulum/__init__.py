"""Pendulums of one link or more, driven by torques."""
