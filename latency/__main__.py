"""`python -m latency`."""

from __future__ import annotations

import signal
import sys
from typing import Any, NoReturn

from latency.cli.program import main

EXIT_TERMINATED = 143


def _terminate(number: int, frame: Any) -> NoReturn:
    # An exception instead of sudden death, so that temporary files are removed.
    raise SystemExit(EXIT_TERMINATED)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(main())
