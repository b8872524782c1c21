"""Pretrain, fine-tune and evaluate in one run; the same as `sim2real transfer`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["transfer", *sys.argv[1:]]))
