"""Data sets on disk, in the formats that others read."""
