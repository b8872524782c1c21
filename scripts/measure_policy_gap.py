"""Measure what policies lose in a held-out simulation, by seeing and by moving; the same as `sim2real policy-gap`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["policy-gap", *sys.argv[1:]]))
