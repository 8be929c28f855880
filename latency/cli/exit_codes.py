"""How the commands of `python -m latency` end."""

from __future__ import annotations

EXIT_DONE = 0  # done, good, met
# A file or a flag that nothing can be done with, or a model that fails when it is run. Such a model
# is named, and what was found of the other models is printed and written before.
EXIT_BAD_INPUT = 2
EXIT_STALE = 3
EXIT_CANNOT_TELL = 4
EXIT_NOT_MET = 5
