"""Print the versions, devices and data that a bug report needs; the same as `sim2real info`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["info", *sys.argv[1:]]))
