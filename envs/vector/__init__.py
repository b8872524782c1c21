"""Many arm environments in worker processes, as one Gymnasium vector environment."""
