"""From scenes to pixels: the renderers and what they have in common."""
