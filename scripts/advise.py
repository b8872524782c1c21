"""Say what to transfer, how, and what to label next; the same as `sim2real advise`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["advise", *sys.argv[1:]]))
