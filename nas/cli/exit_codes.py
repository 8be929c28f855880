"""Exit codes of the programs beside those of `latency.shell`."""

from __future__ import annotations

EXIT_MET = 0  # done, and the target met or none asked for
EXIT_NOT_MET = 3
