"""Measure whether success in the source simulation tells success in the held-out simulation, over policies."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", "--what", "predictivity", *sys.argv[1:]]))
