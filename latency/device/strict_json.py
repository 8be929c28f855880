"""Frozen records to JSON and back: one strict reader for every file that a program wrote.

A record is a frozen dataclass. Its fields may be numbers, text, flags, None, tuples, mappings with
text keys, and records again. The reader refuses what the writer never makes: unknown and missing
keys, keys that stand twice, values of another type, NaN and infinity, nesting without end, and
another schema version. Annotations of records must be importable at run time, and on Python 3.9
be written as `Optional[int]`.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union

from .errors import FileFormatError, LatencyError

T = TypeVar("T")
VERSION_KEY = "schema_version"
MOST_LEVELS = 60  # of nesting; the deepest file of ours has fewer than ten
_UNIONS = (Union, getattr(types, "UnionType", Union))  # `int | None` is the second since 3.10


def loads(text: str, source: str) -> Any:
    """JSON text -> plain values.

    Args:
        text: Of a whole file or answer.
        source: Where it comes from, for the message.

    Raises:
        FileFormatError: Broken JSON, NaN or infinity, a key twice, or too many levels.
    """
    try:
        value = json.loads(
            text, parse_constant=_refused_constant, object_pairs_hook=_object_of_different_keys
        )
    except (ValueError, RecursionError) as error:
        reason = "too many levels" if isinstance(error, RecursionError) else str(error)
        raise FileFormatError(
            f"whole JSON in {source}", reason, "repair the file, or make it again"
        ) from None
    _check_levels(value, source)
    return value


def read_object(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A file -> one JSON object as plain values, for readers that have no record yet.

    Raises:
        FileFormatError: The file is missing, unreadable, or no JSON object.
    """
    value = loads(_text(path), str(path))
    if not isinstance(value, dict):
        raise FileFormatError(
            f"a JSON object in {path}", type(value).__name__, "make the file again"
        )
    return value


def read(cls: type[T], path: str | os.PathLike[str]) -> T:
    """A file -> a record.

    Args:
        cls: Frozen dataclass; with a class attribute `SCHEMA_VERSION` the file must have it.
        path: Of the JSON file.

    Raises:
        FileFormatError: The file is missing or broken, or its keys, types or version are others.
    """
    value = read_object(path)
    version = getattr(cls, "SCHEMA_VERSION", None)
    found = value.pop(VERSION_KEY, None)
    if version is not None and (type(found) is not int or found != version):
        raise FileFormatError(
            f"{VERSION_KEY} {version} in {path}",
            "none" if found is None else repr(found),
            "use the version of the program that wrote the file, or make it again with this one",
        )
    return decode(cls, value, str(path))


def decode(cls: type[T], value: Any, source: str) -> T:
    """Plain values -> a record.

    Args:
        cls: Frozen dataclass.
        value: As `encode` gives it.
        source: Where it comes from, for messages.

    Raises:
        FileFormatError: A key is unknown or missing, or a value has another type.
    """
    return typing.cast(T, _record(cls, value, source, ""))


def encode(record: Any) -> Any:
    """A record, or what stands inside of one -> plain values for JSON."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {f.name: encode(getattr(record, f.name)) for f in dataclasses.fields(record)}
    if isinstance(record, Mapping):
        return {str(key): encode(value) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        return [encode(value) for value in record]
    return record


def dumps(record: Any) -> str:
    """A record -> the text of its file, its schema version first.

    Raises:
        ValueError: A value is NaN or infinite, or no JSON.
    """
    value = encode(record)
    version = getattr(record, "SCHEMA_VERSION", None)
    if version is not None:
        value = {VERSION_KEY: version, **value}
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def _text(path: str | os.PathLike[str]) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(
            f"a readable text file {path}", str(error), "check the path, or make the file again"
        ) from None


def _refused_constant(name: str) -> float:
    raise ValueError(f"{name}, which JSON does not have")


def _object_of_different_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} twice")
    return value


def _check_levels(value: Any, source: str) -> None:
    level, values = 0, [value]
    while values:
        level += 1
        if level > MOST_LEVELS:
            raise FileFormatError(
                f"JSON of at most {MOST_LEVELS} levels in {source}", "more", "make the file again"
            )
        inner: list[Any] = []
        for entry in values:
            if isinstance(entry, dict):
                inner += entry.values()
            elif isinstance(entry, list):
                inner += entry
        values = inner


def _record(cls: Any, value: Any, source: str, place: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(source, place, "an object", value)
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for name in value:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            raise FileFormatError(
                f"the keys {', '.join(fields)}{_at(place)} in {source}",
                f"{name!r}",
                f"write {near[0]!r}" if near else f"remove {name!r}",
            )
    missing = [name for name, field in fields.items() if name not in value and _needed(field)]
    if missing:
        raise FileFormatError(
            f"the key {missing[0]!r}{_at(place)} in {source}", "no such key", "make the file again"
        )
    values = {
        name: _value(hints[name], value[name], source, f"{place}.{name}" if place else name)
        for name in fields
        if name in value
    }
    try:
        return cls(**values)
    except LatencyError as error:
        raise FileFormatError(
            f"{error.expected}{_at(place)} in {source}", error.received, error.fix
        ) from None


def _needed(field: Any) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _at(place: str) -> str:
    return f" at `{place}`" if place else ""


def _wrong(source: str, place: str, expected: str, value: Any) -> FileFormatError:
    return FileFormatError(
        f"{expected}{_at(place)} in {source}", repr(value)[:80], "make the file again"
    )


def _value(kind: Any, value: Any, source: str, place: str) -> Any:
    """One value of an annotated type, checked."""
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in _UNIONS:
        return _union(arguments, value, source, place)
    if origin is typing.Literal:
        if value not in arguments or type(value) not in {type(a) for a in arguments}:
            allowed = ", ".join(repr(a) for a in arguments)
            raise _wrong(source, place, f"one of {allowed}", value)
        return value
    if origin in (tuple, list) or kind in (tuple, list):
        return _sequence(origin or kind, arguments, value, source, place)
    if isinstance(origin or kind, type) and issubclass(origin or kind, Mapping):
        if not isinstance(value, dict):
            raise _wrong(source, place, "an object", value)
        inner = arguments[1] if arguments else Any
        return {k: _value(inner, v, source, f"{place}.{k}") for k, v in value.items()}
    if dataclasses.is_dataclass(kind):
        return _record(kind, value, source, place)
    return _scalar(kind, value, source, place)


def _union(kinds: tuple[Any, ...], value: Any, source: str, place: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    for number, kind in enumerate(kinds):
        try:
            return _value(kind, value, source, place)
        except FileFormatError:
            if number == len(kinds) - 1:
                raise
    raise _wrong(source, place, "null", value)


def _sequence(kind: Any, arguments: Any, value: Any, source: str, place: str) -> Any:
    if not isinstance(value, list):
        raise _wrong(source, place, "a list", value)
    if not arguments:
        kinds: Sequence[Any] = [Any] * len(value)
    elif kind is list or (len(arguments) == 2 and arguments[1] is Ellipsis):
        kinds = [arguments[0]] * len(value)
    else:
        kinds = arguments
        if len(kinds) != len(value):
            raise _wrong(source, place, f"a list of {len(kinds)}", value)
    return kind(
        _value(kinds[number], entry, source, f"{place}[{number}]")
        for number, entry in enumerate(value)
    )


def _scalar(kind: Any, value: Any, source: str, place: str) -> Any:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    if kind not in names:
        raise TypeError(
            f"Expected fields that JSON has at `{place}`. Received: {kind!r}. Fix: annotate it "
            "with numbers, text, flags, tuples, mappings or records."
        )
    if kind is float and type(value) is int:
        return float(value)  # JSON writes 1.0 and 1 alike in many programs
    if type(value) is not kind:
        raise _wrong(source, place, names[kind], value)
    return value
