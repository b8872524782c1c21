"""Many methods of adaptation and fine-tuning side by side on the same held-out photographs."""
