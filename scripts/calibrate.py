"""Measure a station; the same as `sim2real calibrate`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["calibrate", *sys.argv[1:]]))
