"""Where the programs keep what is worth keeping between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Returns $STOPWATCH_CACHE, or ~/.cache/stopwatch-nas; it need not exist."""
    root = os.environ.get("STOPWATCH_CACHE")
    return Path(root) if root else Path.home() / ".cache" / "stopwatch-nas"
