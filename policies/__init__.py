"""Things that see and act."""
