"""Frozen records to JSON and back: one strict reader for every file that a program wrote.

A record is a frozen dataclass. Its fields may be numbers, text, flags, None, tuples, mappings with
text keys, and records again. The reader refuses what the writer never makes: unknown and missing
keys, keys that stand twice, values of another type, NaN and infinity, nesting without end, and
another schema version. Annotations of records must be importable at run time, and on Python 3.9
be written as `Optional[int]`.

The keys of a record are its fields. A class attribute `KEYS` names others, in the order of the
file: a property among them is written for people and not read back, a field that is not among
them stays out of the file. A class attribute `SCHEMA_VERSION` is written first and has to match;
versions of `OLDER_VERSIONS` are read as well, since they lack nothing but keys with a default. What
they called otherwise stands in `OLDER_KEYS`, from the old name to that of today, at any depth.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from . import files
from .decoder import Decoder, keys_of
from .errors import FileFormatError, StandInError
from .foreign import foreign_kind

__all__ = ["decode", "dumps", "encode", "keys_of", "loads", "read", "read_object", "unversioned"]

T = TypeVar("T")
VERSION_KEY = "schema_version"
MOST_LEVELS = 60  # of nesting; the deepest file of ours has fewer than ten
# Lists and objects take fifty times their two characters in memory; ours have some 100,000.
MOST_CONTAINERS = 5_000_000
MOST_DIGITS = 19  # of a whole number; 64 bits hold all but the largest of these
_AGAIN = "make the file again"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def loads(text: str, source: str) -> Any:
    """JSON text -> plain values.

    Args:
        text: Of a whole file or answer.
        source: Where it comes from, for the message.

    Raises:
        FileFormatError: Broken JSON, NaN or infinity, a whole number beyond 64 bits, half a
            character, a key twice, too many levels, or too many lists and objects.
    """
    if text.count("[") + text.count("{") > MOST_CONTAINERS:
        raise FileFormatError(
            f"JSON of at most {MOST_CONTAINERS} lists and objects in {source}", "more", _AGAIN
        )
    try:
        value = json.loads(
            text,
            parse_constant=_refused_constant,
            parse_float=_finite,
            parse_int=_of_64_bits,
            object_pairs_hook=_object_of_different_keys,
        )
        # Half of a pair of surrogates can be written as an escape, but never be encoded again;
        # only those that stand for the bytes of a file name that is no UTF-8 can.
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
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
        StandInError: Something else lies in its place.
    """
    text = _text(path)
    kind = foreign_kind(text[:400].encode())
    if kind is not None and kind.is_stand_in:
        raise StandInError(f"whole JSON in {path}", kind.name, kind.fix)
    value = loads(text, str(path))
    if not isinstance(value, dict):
        raise FileFormatError(f"a JSON object in {path}", type(value).__name__, _AGAIN)
    return value


def read(cls: type[T], path: str | os.PathLike[str], *, every_key: bool = False) -> T:
    """A file -> a record.

    Args:
        cls: Frozen dataclass; with a class attribute `SCHEMA_VERSION` the file must have it.
        path: Of the JSON file.
        every_key: See `decode`.

    Raises:
        FileFormatError: The file is missing or broken, or its keys, types or version are others.
    """
    return decode(
        cls, unversioned(cls, read_object(path), str(path)), str(path), every_key=every_key
    )


def unversioned(cls: type[Any], value: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Checks the schema version of a whole file and returns its other keys.

    Args:
        cls: The record; without `SCHEMA_VERSION` any version is taken.
        value: Of `read_object`.
        source: Where it comes from, for the message.

    Raises:
        FileFormatError: The version is missing or another one.
    """
    rest = dict(value)
    found, version = rest.pop(VERSION_KEY, None), getattr(cls, "SCHEMA_VERSION", None)
    readable = (version, *getattr(cls, "OLDER_VERSIONS", ()))
    if version is not None and (type(found) is not int or found not in readable):
        raise FileFormatError(
            f"schema version {version} in {source}",
            f"no {VERSION_KEY}" if found is None else repr(found),
            "use the version of the program that wrote the file, or make it again with this one",
        )
    names = getattr(cls, "OLDER_KEYS", None)
    return _renamed(rest, names) if names and found != version else rest


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Values of an earlier version under the names of today, what stands inside of them as well."""
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(part, names) for key, part in value.items()}
    return [_renamed(part, names) for part in value] if isinstance(value, list) else value


def decode(cls: type[T], value: Any, source: str, *, every_key: bool = False) -> T:
    """Plain values -> a record.

    Args:
        cls: Frozen dataclass.
        value: As `encode` gives it.
        source: Where it comes from, for messages.
        every_key: Also asks for the keys of fields that have a default, as the writer writes
            them; without it, files may be older than such a field.

    Raises:
        FileFormatError: A key is unknown or missing, or a value has another type.
    """
    return typing.cast(T, Decoder(source, every_key).record(cls, value, ""))


def encode(record: Any) -> Any:
    """A record, or what stands inside of one -> plain values for JSON."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {name: encode(getattr(record, name)) for name in keys_of(type(record))}
    if isinstance(record, Mapping):
        return {str(key): encode(value) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        return [encode(value) for value in record]
    return record


def dumps(record: Any, *, indent: int | None = 1) -> str:
    """A record -> the text of its file, its schema version first.

    Args:
        record: Frozen dataclass.
        indent: Spaces a level; None for one line.

    Raises:
        ValueError: A value is NaN or infinite, or no JSON.
    """
    value = encode(record)
    version = getattr(record, "SCHEMA_VERSION", None)
    if version is not None:
        value = {VERSION_KEY: version, **value}
    return json.dumps(value, indent=indent, allow_nan=False) + "\n"


def _text(path: str | os.PathLike[str]) -> str:
    try:
        return files.read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"a readable text file {path}", str(error), "check the path, or make the file again"
        ) from None


def _refused_constant(name: str) -> float:
    raise ValueError(f"{name}, which is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]}, which is no number that a computer holds")
    return value


def _of_64_bits(text: str) -> int:
    if len(text.lstrip("-")) > MOST_DIGITS or abs(int(text)) >= 2**63:
        raise ValueError(f"{text[:20]}, a whole number that 64 bits do not hold")
    return int(text)


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
                f"JSON of at most {MOST_LEVELS} levels in {source}", "more", _AGAIN
            )
        inner: list[Any] = []
        for entry in values:
            if isinstance(entry, dict):
                inner += entry.values()
            elif isinstance(entry, list):
                inner += entry
        values = inner
