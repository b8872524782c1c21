"""Train a perception model on randomized frames; the same as `sim2real pretrain`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["pretrain", *sys.argv[1:]]))
