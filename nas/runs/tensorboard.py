"""A history as TensorBoard events, written without TensorBoard."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_events(folder: Path, rows: Iterable[Mapping[str, Any]], prefix: str) -> Path | None:
    """Writes one event file with every number of every row.

    Args:
        folder: Where the file goes; replaced as a whole.
        rows: With a `step` each; texts and empty cells are left out.
        prefix: Put before every name, such as `search/`.

    Returns:
        The file, or None where TensorFlow is not the backend at hand.
    """
    try:
        import tensorflow as tf
    except Exception:  # an installation that is broken may raise anything, and is none
        return None
    folder.mkdir(exist_ok=True)
    path = folder / f"events.out.tfevents.{prefix.strip('/')}"
    event = tf.compat.v1.Event
    with tf.io.TFRecordWriter(os.fsencode(path)) as writer:
        # TensorBoard takes only files that begin with this version.
        first = event(wall_time=time.time(), file_version="brain.Event:2")
        writer.write(first.SerializeToString())
        for row in rows:
            numbers = {
                name: value
                for name, value in row.items()
                if name != "step" and isinstance(value, int | float)
            }
            values = [
                tf.compat.v1.Summary.Value(tag=prefix + name, simple_value=value)
                for name, value in numbers.items()
            ]
            summary = tf.compat.v1.Summary(value=values)
            record = event(wall_time=time.time(), step=int(row["step"]), summary=summary)
            writer.write(record.SerializeToString())
    return path
