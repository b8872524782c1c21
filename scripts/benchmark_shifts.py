"""Measure how much of planted shifts label-free methods recover on simulated targets, and where they do harm."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", "--what", "shifts", *sys.argv[1:]]))
