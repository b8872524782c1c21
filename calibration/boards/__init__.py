"""Calibration targets: what they look like, where they are in a photograph, and how to print one."""
