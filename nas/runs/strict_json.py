"""JSON objects of a run folder, read entry by entry: a wrong type names the file and the entry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import InputError


class ReportError(InputError):
    """A run folder that cannot be read."""


@dataclass(frozen=True)
class Record:
    """A JSON object that names its file when an entry has the wrong type.

    Args:
        source: The file, and the place in it, for messages.
        values: The object itself.
    """

    source: str
    values: Mapping[str, Any]

    def number(self, key: str) -> float | None:
        """A finite number, or None where it is absent or null."""
        value = self.values.get(key)
        if value is None:
            return None
        if not _is_number(value):
            raise self._error(key, "a number or null", value)
        return value

    def text(self, key: str) -> str | None:
        """A string, or None where it is absent or null; numbers become strings."""
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float):
            return str(value)
        raise self._error(key, "a string or null", value)

    def flag(self, key: str) -> bool | None:
        """True, false, or None where it is absent or null."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self._error(key, "true, false or null", value)

    def child(self, key: str) -> Record | None:
        """An object, or None where it is absent or null."""
        value = self.values.get(key)
        return None if value is None else self._object(key, value)

    def items(self, key: str) -> list[Any]:
        """A list, empty where it is absent or null."""
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._error(key, "a list", value)
        return value

    def numbers(self, key: str) -> list[float]:
        """A list of numbers, empty where it is absent or null."""
        values = self.items(key)
        for i, value in enumerate(values):
            if not _is_number(value):
                raise self._error(f"{key}[{i}]", "a number", value)
        return values

    def children(self, key: str) -> list[Record]:
        """A list of objects, empty where it is absent or null."""
        return [self._object(f"{key}[{i}]", value) for i, value in enumerate(self.items(key))]

    def _object(self, key: str, value: Any) -> Record:
        if not isinstance(value, dict):
            raise self._error(key, "an object", value)
        return Record(f"{self.source}, {key}", value)

    def _error(self, key: str, expected: str, value: Any) -> ReportError:
        return ReportError(
            f"{expected} as `{key}` in {self.source}",
            repr(value)[:80],
            "repair the file, or run that stage again",
        )


def _is_number(value: Any) -> bool:
    # A bool is an int to Python, not to JSON.
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"a readable text file {path}", f"{error}", "repair the file") from None


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name}, which JSON does not have")


def read_json_value(path: Path) -> Any:
    text = read_text(path)
    if text is None:
        return None
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise ReportError(
            f"whole JSON in {path}", f"{error}", "repair the file, or run that stage again"
        ) from None


def read_record(path: Path, newest: int) -> Record | None:
    value = read_json_value(path)
    if value is None and not path.exists():
        return None
    if not isinstance(value, dict):
        raise ReportError(
            f"a JSON object in {path}", f"{type(value).__name__}", "run that stage again"
        )
    version = value.get("schema_version", 1)
    if type(version) is not int or not 1 <= version <= newest:
        raise ReportError(
            f"schema_version from 1 to {newest} in {path}",
            repr(version),
            "update the program, or run that stage again with this version",
        )
    return Record(str(path), value)
