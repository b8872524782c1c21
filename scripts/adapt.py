"""Adapt a pretrained model to unlabelled photographs; the same as `sim2real adapt`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["adapt", *sys.argv[1:]]))
