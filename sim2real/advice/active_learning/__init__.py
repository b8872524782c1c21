"""Which photographs to label next, and a sheet that shows them."""
