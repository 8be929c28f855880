"""Where arrays and tables are cached."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(given: Path | None = None) -> Path:
    """Where arrays are kept: given, or $STOPWATCH_CACHE, or ~/.cache/stopwatch-nas."""
    if given is not None:
        return Path(given)
    root = os.environ.get("STOPWATCH_CACHE")
    return Path(root) if root else Path.home() / ".cache" / "stopwatch-nas"
