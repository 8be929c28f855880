"""Images for which an exported file names another class than Keras: found, and read back."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas.deployment.records import Flip


def flips(format_name: str, keras: np.ndarray, file: np.ndarray, labels: np.ndarray) -> list[Flip]:
    """Every image for which a file names another class than Keras.

    Args:
        format_name: Of the file's format.
        keras: (images, classes) scores of model.keras.
        file: Likewise of the file.
        labels: (images,) class indices.
    """
    found = []
    for image in np.flatnonzero(keras.argmax(axis=1) != file.argmax(axis=1)):
        ours, theirs = int(keras[image].argmax()), int(file[image].argmax())
        found.append(
            Flip(
                format_name,
                int(image),
                int(labels[image]),
                ours,
                theirs,
                float(keras[image, ours]) - float(keras[image, theirs]),
                float(file[image, theirs]) - float(file[image, ours]),
            )
        )
    return found


def earlier_flips(path: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Format -> its rows of flips.csv, as they stand there.

    Args:
        path: Of the file; none are there where it is missing.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    if path.is_file():
        text = path.read_text("utf-8", "replace")
        for row in csv.DictReader(io.StringIO(text)):
            found.setdefault(str(row.get("format")), []).append(row)
    return found
