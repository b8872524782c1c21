"""Sheets to look at: drawn worlds with their labels, and the nominal world against photographs."""

from sim2real.preview.command import preview
from sim2real.preview.contact import write_preview

__all__ = ["preview", "write_preview"]
