"""The texts that an ONNX file has beside its graph, whoever wrote it: `metadata_props`.

`nas.deployment.metadata` reads the files of this version and refuses all others. A teacher may be
any file: what its texts say is used as far as they say it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Stands in what every version of this program says of the input of its files.
PIXELS = "pixels 0 to 255"


def properties_of(model: Any) -> dict[str, str]:
    """Key -> text.

    Args:
        model: `onnx.ModelProto`.
    """
    return {entry.key: entry.value for entry in model.metadata_props}


def class_names_in(properties: Mapping[str, str]) -> tuple[str, ...] | None:
    """Names of the classes by their index, as our own files hold them; None where nobody says.

    Args:
        properties: Of a file.
    """
    try:
        names = json.loads(properties.get("class_names", ""))
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names)


def takes_pixels(properties: Mapping[str, str]) -> bool:
    """Whether a file says that its input is pixels from 0 to 255, as all of our own do.

    Args:
        properties: Of a file.
    """
    return PIXELS in properties.get("input", "")
