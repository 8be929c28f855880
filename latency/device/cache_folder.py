"""Where the programs keep what is worth keeping between runs."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import LatencyError


class NoHomeError(LatencyError):
    """Nowhere to keep anything between runs."""


def cache_folder() -> Path:
    """Returns $STOPWATCH_CACHE, or ~/.cache/stopwatch-nas; it need not exist.

    Raises:
        NoHomeError: The variable is not set, and this user has no home.
    """
    root = os.environ.get("STOPWATCH_CACHE")
    if root:
        return Path(root)
    try:
        return Path.home() / ".cache" / "stopwatch-nas"
    except RuntimeError:  # HOME is not set, and the user's number has no entry in the passwords
        raise NoHomeError(
            "a home folder, or STOPWATCH_CACHE",
            "neither",
            "set STOPWATCH_CACHE to a folder that may be written",
        ) from None
