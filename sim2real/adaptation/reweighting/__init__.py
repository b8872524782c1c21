"""Weights of simulated frames by which they stand for the distribution of the real ones."""
