"""Measure the arm environments beside panda-gym: steps, resets, pictures, processes; and physics settings."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", "--what", "environments", *sys.argv[1:]]))
