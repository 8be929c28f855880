"""The file form of a table: one JSON with one row a line, read with suspicion."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

SCHEMA_VERSION = 2
# One line for each of their entries keeps a table of samples readable and its changes visible.
LINE_PER_ENTRY = ("rows", "networks", "anchors", "state_log")


class TableFileError(ValueError):
    """A file that is no table of this version."""


def document_text(document: Mapping[str, Any]) -> str:
    """Returns JSON text; NaN and infinity are refused.

    Raises:
        ValueError: A value is NaN or infinite.
    """
    parts = []
    for key, value in document.items():
        if key in LINE_PER_ENTRY:
            body = _line_per_entry(value)
        else:
            body = _compact(value)
        parts.append(f" {json.dumps(key)}: {body}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line_per_entry(value: Mapping[str, Any] | Sequence[Any]) -> str:
    if isinstance(value, Mapping):
        lines, ends = [f"  {json.dumps(k)}: {_compact(v)}" for k, v in value.items()], "{}"
    else:
        lines, ends = [f"  {_compact(v)}" for v in value], "[]"
    return f"{ends[0]}\n" + ",\n".join(lines) + f"\n {ends[1]}" if lines else ends


def _compact(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def read_document(path: Path, types: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    """Reads a table's JSON and checks its version, fields and their types.

    Args:
        path: Of the file.
        types: Field -> type or types.

    Raises:
        TableFileError: The file is missing, broken, of a newer schema, or lacks a field.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text, parse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        raise TableFileError(
            f"Expected a latency table in JSON at {path}. Received: {error}. "
            "Fix: build the table again."
        ) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise TableFileError(
            f"Expected a latency table with a schema_version in {path}. "
            f"Received: {type(document).__name__} without one. Fix: name a table's file."
        )
    if version != SCHEMA_VERSION:
        raise TableFileError(
            f"Expected schema version {SCHEMA_VERSION} in {path}. Received: {version}. "
            "Fix: use the program version that wrote it, or build the table again."
        )
    for name, kind in types.items():
        if name not in document or not isinstance(document[name], kind):
            received = type(document[name]).__name__ if name in document else "no such field"
            raise TableFileError(
                f"Expected {name} as {_names(kind)} in {path}. Received: {received}. "
                "Fix: build the table again."
            )
    return document


def _names(kind: type | tuple[type, ...]) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(entry.__name__ for entry in kinds)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text}, which is no number")
