"""JSON objects of a run folder, read entry by entry: a wrong type names the file and the entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
