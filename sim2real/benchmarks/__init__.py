"""Measurements against peers, side by side on one machine."""
