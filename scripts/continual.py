"""Fine-tune on several stations in a row, and measure what is forgotten; the same as `sim2real continual`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["continual", *sys.argv[1:]]))
