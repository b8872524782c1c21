"""Shapes: loaded from files, made from primitives, simplified, cached."""
