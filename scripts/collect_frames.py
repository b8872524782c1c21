"""Write a labelled data set of simulated frames; the same as `sim2real collect`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["collect", *sys.argv[1:]]))
