"""From simulation to the robot: pretrain, fine-tune on few real frames, and say how well it went."""

from sim2real._layout import check_layout

__version__ = "0.1.0"

check_layout()
