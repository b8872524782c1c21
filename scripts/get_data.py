"""Fetch or unpack a pack of photographs; the same as `sim2real get`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["get", *sys.argv[1:]]))
