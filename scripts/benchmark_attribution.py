"""Measure whether attribution finds causes that were planted at pretend stations of the held-out simulation."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", "--what", "attribution", *sys.argv[1:]]))
