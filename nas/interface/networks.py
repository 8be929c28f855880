"""Networks by themselves: read, counted, built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from latency.device.files import read_bytes
from nas.architecture import text as arch_text
from nas.architecture.bounds import MOST_CHARACTERS
from nas.architecture.spec import Architecture
from nas.cost.counts import ArchitectureCost, architecture_cost
from nas.errors import ArchitectureError, InputError
from nas.system import backend
from nas.system.paths import own_path

if TYPE_CHECKING:
    import keras


def read_architecture(text_or_file: str) -> Architecture:
    """An architecture from a file with JSON or text, or from the text itself.

    Args:
        text_or_file: As `main.py --arch` takes it.

    Raises:
        InputError: No such file, or no architecture.
    """
    path = own_path(text_or_file) if text_or_file.startswith("~") else Path(text_or_file)
    looks_like_file = text_or_file.endswith((".json", ".txt")) or "/" in text_or_file
    try:
        is_file = path.is_file()
    except OSError:
        is_file = False  # a long string is no path
    if is_file:
        try:
            return arch_text.loads(read_bytes(path, MOST_CHARACTERS).decode("utf-8"), str(path))
        except UnicodeDecodeError:
            raise ArchitectureError(
                "an architecture as UTF-8 text", f"{path}", "give architecture.json of a run"
            ) from None
    if looks_like_file and " " not in text_or_file:
        raise InputError("an architecture file", f"{path}, which does not exist", "check --arch")
    return arch_text.loads(text_or_file)


def count(architecture: Architecture | str) -> ArchitectureCost:
    """Parameters, multiply-adds and bytes of a network; starts no framework.

    Args:
        architecture: The network, or its text, or a file with it.

    Raises:
        InputError: No architecture.
    """
    return architecture_cost(_architecture(architecture))


def build_model(architecture: Architecture | str) -> keras.Model:
    """An untrained Keras model; its input is a batch of images from 0 to 255.

    Args:
        architecture: The network, or its text, or a file with it.

    Raises:
        InputError: No architecture, or no backend that works.
    """
    found = _architecture(architecture)
    backend.import_keras()
    from nas.builders import keras_model

    return keras_model.build_model(found)


def _architecture(value: Architecture | str) -> Architecture:
    return read_architecture(value) if isinstance(value, str) else value
