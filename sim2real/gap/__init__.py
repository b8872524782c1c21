"""How large the gap between simulation and target is, and where it comes from."""
