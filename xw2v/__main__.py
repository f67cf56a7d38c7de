"""`python -m xw2v`: the command line."""

import sys

from xw2v.cli import main

if __name__ == "__main__":
    sys.exit(main())
