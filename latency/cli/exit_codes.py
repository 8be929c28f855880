"""How the commands of `python -m latency` end."""

from __future__ import annotations

EXIT_DONE = 0  # done, good, met
EXIT_BAD_INPUT = 2  # a file or a flag that nothing can be done with, or a model that fails
EXIT_STALE = 3
EXIT_CANNOT_TELL = 4
EXIT_NOT_MET = 5
