"""Measure how well a model transfers, where the gap comes from and what to do next; the same as `sim2real gap`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["gap", *sys.argv[1:]]))
