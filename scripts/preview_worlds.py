"""Draw a sheet of randomized frames to look at; the same as `sim2real preview`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["preview", *sys.argv[1:]]))
