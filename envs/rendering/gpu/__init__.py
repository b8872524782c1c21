"""The GPU rasteriser: OpenGL without a screen, many views a draw call, the CPU rasteriser's pictures."""
