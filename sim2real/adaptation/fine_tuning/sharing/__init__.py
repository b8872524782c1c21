"""Hard parameter sharing: one encoder, several heads."""
