"""Measure a model on held-out photographs; the same as `sim2real evaluate`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
