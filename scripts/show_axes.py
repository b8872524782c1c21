"""Draw every axis of variation and write the page about them; the same as `sim2real axes`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["axes", *sys.argv[1:]]))
