"""Plain values of JSON -> frozen records, checked against the annotated types."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, Union

from .errors import FileFormatError, LatencyError

_UNIONS = (Union, getattr(types, "UnionType", Union))  # `int | None` is the second since 3.10
_SCALARS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def keys_of(cls: type[Any]) -> tuple[str, ...]:
    """Returns the keys of a record's object, in the order of the file."""
    keys: tuple[str, ...] | None = getattr(cls, "KEYS", None)
    return keys or tuple(field.name for field in dataclasses.fields(cls) if field.init)


@functools.cache
def _fields(cls: Any) -> dict[str, tuple[Any, bool]]:
    """Key -> type, and whether it has no default; only what is read."""
    hints, keys = typing.get_type_hints(cls), keys_of(cls)
    missing = dataclasses.MISSING
    return {
        field.name: (
            hints[field.name],
            field.default is missing and field.default_factory is missing,
        )
        for field in dataclasses.fields(cls)
        if field.init and field.name in keys
    }


@functools.cache
def _parts(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """Origin and arguments of an annotation, kept for the many rows of a table."""
    return typing.get_origin(kind), typing.get_args(kind)


class Decoder:
    """Checks values of one source against annotated types.

    Args:
        source: For messages.
        every_key: See `latency.device.strict_json.decode`.
    """

    def __init__(self, source: str, every_key: bool) -> None:
        self._source, self._every_key = source, every_key

    def record(self, cls: Any, value: Any, place: str) -> Any:
        """An object -> a record; `place` is the path to it, such as `rows.stem`."""
        if not isinstance(value, dict):
            raise self._wrong(place, "an object", value)
        fields = _fields(cls)
        self._check_keys(cls, value, place)
        values = {
            name: self._value(kind, value[name], f"{place}.{name}" if place else name)
            for name, (kind, _) in fields.items()
            if name in value
        }
        try:
            record = cls(**values)
        except LatencyError as error:
            expected = f"{error.expected}{_at(place)} in {self._source}"
            raise FileFormatError(expected, error.received, error.fix) from None
        # Some records have to know later on that a file said so, and not the user.
        as_read = getattr(record, "as_read", None)
        return as_read() if as_read else record

    def _check_keys(self, cls: Any, value: Mapping[str, Any], place: str) -> None:
        fields, keys = _fields(cls), keys_of(cls)
        for name in value:
            if name not in keys:
                near = difflib.get_close_matches(name, fields, n=1)
                raise FileFormatError(
                    f"the keys {', '.join(keys)}{_at(place)} in {self._source}",
                    repr(name),
                    f"write {near[0]!r}" if near else f"remove {name!r}",
                )
        for name, (_, needed) in fields.items():
            if name not in value and (needed or self._every_key):
                expected = f"the key {name!r}{_at(place)} in {self._source}"
                raise FileFormatError(expected, "no such key", "make the file again")

    def _value(self, kind: Any, value: Any, place: str) -> Any:
        """One value of an annotated type, checked."""
        if kind is Any:
            return value
        origin, arguments = _parts(kind)
        if origin in _UNIONS:
            return self._union(arguments, value, place)
        if origin is typing.Literal:
            return self._literal(arguments, value, place)
        if origin in (tuple, list) or kind in (tuple, list):
            return self._sequence(origin or kind, arguments, value, place)
        if isinstance(origin or kind, type) and issubclass(origin or kind, Mapping):
            return self._mapping(arguments[1] if arguments else Any, value, place)
        if dataclasses.is_dataclass(kind):
            return self.record(kind, value, place)
        return self._scalar(kind, value, place)

    def _literal(self, allowed: tuple[Any, ...], value: Any, place: str) -> Any:
        # 1 == True, so the types have to agree too.
        if not any(type(value) is type(entry) and value == entry for entry in allowed):
            raise self._wrong(place, f"one of {', '.join(map(repr, allowed))}", value)
        return value

    def _mapping(self, kind: Any, value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(place, "an object", value)
        return {key: self._value(kind, entry, f"{place}.{key}") for key, entry in value.items()}

    def _union(self, kinds: tuple[Any, ...], value: Any, place: str) -> Any:
        if value is None and type(None) in kinds:
            return None
        kinds = tuple(kind for kind in kinds if kind is not type(None))
        for kind in kinds:
            if kind in _SCALARS and type(value) is kind:  # 1 stays whole in `float | int`
                return value
        for kind in kinds[:-1]:
            fits, found = self._attempt(kind, value, place)
            if fits:
                return found
        return self._value(kinds[-1], value, place)

    def _attempt(self, kind: Any, value: Any, place: str) -> tuple[bool, Any]:
        try:
            return True, self._value(kind, value, place)
        except FileFormatError:
            return False, None

    def _sequence(self, kind: Any, arguments: Any, value: Any, place: str) -> Any:
        if not isinstance(value, list):
            raise self._wrong(place, "a list", value)
        one_kind = kind is list or (len(arguments) == 2 and arguments[1] is Ellipsis)
        if not arguments:
            return kind(value)
        if one_kind:
            # Samples are lists of ten thousands of numbers: no place is made up for each.
            if arguments[0] in _SCALARS and all(type(entry) is arguments[0] for entry in value):
                return kind(value)
            arguments = arguments[:1] * len(value)
        if len(arguments) != len(value):
            raise self._wrong(place, f"a list of {len(arguments)}", value)
        entries = zip(arguments, value)
        return kind(
            self._value(inner, entry, f"{place}[{number}]")
            for number, (inner, entry) in enumerate(entries)
        )

    def _scalar(self, kind: Any, value: Any, place: str) -> Any:
        if kind not in _SCALARS:
            raise TypeError(
                f"Expected fields that JSON has at `{place}`. Received: {kind!r}. Fix: annotate "
                "it with numbers, text, flags, tuples, mappings or records."
            )
        if kind is float and type(value) is int:
            return self._whole(value, place)  # JSON writes 1.0 and 1 alike in many programs
        if type(value) is not kind:
            raise self._wrong(place, _SCALARS[kind], value)
        return value

    def _whole(self, value: int, place: str) -> float:
        try:
            return float(value)
        except OverflowError:
            raise self._wrong(place, "a number that a computer holds", value) from None

    def _wrong(self, place: str, expected: str, value: Any) -> FileFormatError:
        return FileFormatError(
            f"{expected}{_at(place)} in {self._source}", repr(value)[:80], "make the file again"
        )


def _at(place: str) -> str:
    return f" at `{place}`" if place else ""
