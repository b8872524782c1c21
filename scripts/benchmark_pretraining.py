"""Measure pretraining: frames a second as it runs, drawn alone, and trained on data in memory."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", "--what", "pretraining", *sys.argv[1:]]))
