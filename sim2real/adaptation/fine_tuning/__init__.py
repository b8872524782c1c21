"""Fine-tuning on a few labelled frames: what learns, how fast, and what holds it to where it came from."""
