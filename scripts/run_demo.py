"""Run the short demonstration from end to end; the same as `sim2real demo`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["demo", *sys.argv[1:]]))
