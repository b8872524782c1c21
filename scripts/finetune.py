"""Fine-tune a pretrained model on a few photographs; the same as `sim2real finetune`."""

import sys

from sim2real.cli import main

if __name__ == "__main__":
    sys.exit(main(["finetune", *sys.argv[1:]]))
