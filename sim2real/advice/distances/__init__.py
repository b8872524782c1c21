"""How far two sets of pictures are apart, measured on their features."""
