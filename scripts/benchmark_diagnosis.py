"""Measure whether refits on labelled pictures find what was planted at pretend stations."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", "--what", "diagnosis", *sys.argv[1:]]))
