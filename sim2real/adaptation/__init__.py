"""Bring a model trained on simulated frames closer to photographs: image-level, feature-level, fine-tuning."""
