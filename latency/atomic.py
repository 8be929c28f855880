"""Files that are either whole or absent: write beside, flush to disk, rename."""

from __future__ import annotations

import json
import os
from typing import Any

from latency.device.files import keep_text
from latency.device.files import write_whole as write_bytes

__all__ = ["keep_json", "keep_text", "write_bytes", "write_json", "write_text"]


def write_text(path: str | os.PathLike[str], text: str) -> None:
    r"""Writes UTF-8 text atomically; see `write_bytes`.

    Bytes of file names that are no UTF-8 are written out, such as `\udcff`.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes indented JSON atomically; NaN and infinity are refused, since JSON has neither.

    Raises:
        ValueError: `value` holds a NaN or an infinity.
    """
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def keep_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes a result like `write_json`, or prints it where it cannot be written.

    Raises:
        ValueError: `value` holds a NaN or an infinity.
        UnwrittenError: As `keep_text`.
    """
    keep_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")
