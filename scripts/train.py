"""Train a policy in simulation, in an arm task or another environment."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
