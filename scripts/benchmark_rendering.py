"""Measure the renderers side by side: views a second, ratios to PyBullet's own, agreement of the pictures."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", *sys.argv[1:]]))
