"""`python -m latency`."""

from __future__ import annotations

import sys

from latency import start

if __name__ == "__main__":
    start.begin()
    from latency.cli.program import main

    sys.exit(main())
