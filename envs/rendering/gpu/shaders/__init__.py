"""Shader sources, and the layout of the arrays that they read and write."""
