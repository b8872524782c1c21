"""From simulation to the robot: pretrain, fine-tune on few real frames, and say how well it went."""

import sys

from sim2real._layout import check_layout

__version__ = "0.1.0"

check_layout()

if "gymnasium" in sys.modules:
    # `import envs` registers the environments' ids. Whoever has Gymnasium gets them with this package too; the command
    # line does not wait for Gymnasium to load.
    import envs  # noqa: F401
