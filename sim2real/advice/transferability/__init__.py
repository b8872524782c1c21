"""How well features serve a task, measured on a few labelled frames without training."""
