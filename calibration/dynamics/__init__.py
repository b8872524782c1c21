"""Identification of pendulum-like planar arms from recorded motion and torque."""
