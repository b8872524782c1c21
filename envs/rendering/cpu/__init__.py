"""The CPU rasteriser: compiled by Numba, one view a task, the same bits for any number of threads."""
