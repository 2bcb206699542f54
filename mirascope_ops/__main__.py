"""`python -m mirascope_ops` is the command line `mirascope-ops`."""

from __future__ import annotations

import sys

from mirascope_ops.cli import main

if __name__ == "__main__":
    sys.exit(main())
