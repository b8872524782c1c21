"""Measure whether forecasts of the error with twice the labelled frames hold, over runs of `sim2real sweep`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", "--what", "forecasts", *sys.argv[1:]]))
