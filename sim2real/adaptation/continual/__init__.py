"""Continual fine-tuning: one model on several stations in a row, and what it forgets."""
