"""Policies that imitate: from an expert, from state to pixels."""
