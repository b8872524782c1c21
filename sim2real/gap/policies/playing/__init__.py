"""Who plays, what happened, and what it looked like."""
