"""The gap between simulation and a target: how large, where it comes from, what to do next."""
