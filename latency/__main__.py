"""`python -m latency`."""

from __future__ import annotations

import sys

from latency.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
