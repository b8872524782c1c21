"""Write a run's results as one HTML page; the same as `sim2real report`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
