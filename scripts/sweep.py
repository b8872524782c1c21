"""Compare methods of adaptation and fine-tuning on held-out photographs; the same as `sim2real sweep`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["sweep", *sys.argv[1:]]))
