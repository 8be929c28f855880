"""The description of a model in a `.keras` file, which is an archive; its weights are not read."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from latency.device import strict_json
from latency.errors import FileFormatError
from nas.architecture.bounds import MOST_CHARACTERS
from nas.errors import InputError
from nas.system.paths import no_file

SUFFIX = ".keras"
_CONFIG = "config.json"
_SAVE = f"save the model by model.save('NAME{SUFFIX}') with Keras 3"


def read_config(path: Path) -> dict[str, Any]:
    """The model's description as plain data.

    Args:
        path: Of a file that Keras 3 saved.

    Raises:
        InputError: No such file, or no model of Keras 3 in it.
    """
    if not path.is_file():
        raise InputError("a Keras file", no_file(path), "check the path")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_CONFIG) as stream:
            data = stream.read(MOST_CHARACTERS + 1)
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError) as error:
        reason = f"{path}: {error}"
        raise InputError(f"a Keras file, with {_CONFIG} in it", reason, _SAVE) from None
    if len(data) > MOST_CHARACTERS:
        raise InputError(
            f"a description of at most {MOST_CHARACTERS:,} bytes in {path}", "more", _SAVE
        )
    try:
        found = strict_json.loads(data.decode("utf-8"), f"{_CONFIG} in {path}")
    except UnicodeDecodeError as error:
        raise InputError(f"JSON as {_CONFIG} in {path}", str(error), _SAVE) from None
    except FileFormatError as error:
        raise InputError(f"JSON as {_CONFIG} in {path}", error.received, _SAVE) from None
    if not isinstance(found, dict):
        raise InputError(f"a model in {path}", type(found).__name__, _SAVE)
    return found
