"""Every knob of a recipe, out of its record: name, type, text, and where it stands.

A field of `Recipe`, or of a record inside of it, is a knob by being there. Its name is that of the
flag and of the option, so that no two of these records may share one. The metadata of a field may
say more:

    names: Names that it may have, such as those of a registry; `--help` lists them.
    least: Smallest number for users, where records made by programs may have smaller ones.
    is_path: Its text may be the path of a Python file with something behind a colon.
    is_fact: No knob for users, but a fact about the recipe, or set by the program that uses it.
    beside: Knob of the same record without which it says nothing.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, TypeVar

from nas.errors import FieldError, InputError
from nas.field_texts import field_texts
from nas.ranges import check_count

T = TypeVar("T")
# How flags and options write that a knob has no value, where its field may be None.
NONE = "none"
Nothing = Literal["none"]
FORMS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}


@dataclass(frozen=True)
class Knob:
    """One knob of a recipe.

    Args:
        name: Of the field, the flag and the option.
        path: Fields from the recipe to the record that it stands in; empty for its own.
        kind: Type of its values, without None.
        optional: Whether None is a value.
        text: What its record says of it, with the word that users write for None.
        names: That it may have, in their order; empty for any value. A registry may grow.
        least: Smallest number for users; None for the record's own range.
        is_path: Whether its text may name a Python file.
    """

    name: str
    path: tuple[str, ...]
    kind: Any
    optional: bool
    text: str
    names: Iterable[str] = ()
    least: int | None = None
    is_path: bool = False

    @property
    def form(self) -> str:
        """How a value is written, in words."""
        return _form(self.kind) + (f", or {NONE}" if self.optional else "")

    def of(self, recipe: Any) -> Any:
        """The value that a recipe has.

        Args:
            recipe: A `Recipe`.
        """
        for part in (*self.path, self.name):
            recipe = None if recipe is None else getattr(recipe, part)
        return recipe

    def word(self, value: Any) -> str:
        """How a flag writes a value; `value` reads the same from it.

        Args:
            value: Of the field.
        """
        return NONE if value is None else _word(self.kind, value)

    def value(self, given: Any) -> Any:
        """The value of the field that is meant by what a flag or a program gave.

        Args:
            given: A value, a list for a tuple, a text for anything, or `none`.

        Raises:
            InputError: It has another form.
        """
        # Refusals of records say None, which is how Python writes it.
        if self.optional and isinstance(given, str) and given.lower() == NONE:
            return None
        try:
            value = _read(self.kind, given)
        except ValueError:
            raise FieldError(
                f"{self.name} to be {self.form}",
                repr(given),
                f"write {self.name} as {self.form}",
                self.name,
            ) from None
        if self.least is not None:
            check_count(self.name, value, least=self.least)
        return value


def _read(kind: Any, given: Any) -> Any:
    """A value of a type.

    Raises:
        ValueError: There is none.
    """
    if typing.get_origin(kind) is tuple:
        return _read_tuple(typing.get_args(kind), given)
    if kind is str:
        return _same(given, str)
    if isinstance(given, str):
        return _read_text(kind, given)
    if kind is float and not isinstance(given, bool):
        return _same(given, int | float)
    if kind is int and isinstance(given, bool):
        raise ValueError
    return _same(given, kind)


def _same(given: Any, kind: Any) -> Any:
    if not isinstance(given, kind):
        raise ValueError
    return given


def _read_text(kind: Any, given: str) -> Any:
    """A number as it is written, whole ones also as 3e6; the record looks at its range."""
    if kind is bool:
        words = {"true": True, "false": False}
        if given.lower() not in words:
            raise ValueError
        return words[given.lower()]
    number = float(given)
    if kind is float:
        return number
    if not number.is_integer():  # NaN and infinity are none either
        raise ValueError
    return int(number)


def _read_tuple(inner: tuple[Any, ...], given: Any) -> tuple[Any, ...]:
    """Values that stand between commas, and pairs and the like between colons."""
    several = len(inner) == 2 and inner[1] is Ellipsis
    if isinstance(given, str):
        given = given.split("," if several else ":")
    if not isinstance(given, list | tuple):
        raise ValueError
    if several:
        return tuple(_read(inner[0], one) for one in given)
    if len(given) != len(inner):
        raise ValueError
    return tuple(_read(kind, one) for kind, one in zip(inner, given, strict=True))


def _word(kind: Any, value: Any) -> str:
    if isinstance(value, tuple):
        inner = typing.get_args(kind)
        several = len(inner) == 2 and inner[1] is Ellipsis
        kinds = [inner[0]] * len(value) if several else inner
        words = [_word(one, part) for one, part in zip(kinds, value, strict=True)]
        return ("," if several else ":").join(words)
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _form(kind: Any) -> str:
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        is_several = len(inner) == 2 and inner[1] is Ellipsis
        parts = [_form(inner[0])] if is_several else [_form(one) for one in inner]
        return f"{parts[0]} or several with commas" if is_several else ":".join(parts)
    return FORMS.get(kind, getattr(kind, "__name__", str(kind)))


@cache
def knobs_of(recipe: type) -> Mapping[str, Knob]:
    """Name -> knob of every field of a recipe and of the records inside of it.

    Args:
        recipe: Class of the recipe.

    Raises:
        InputError: Two fields have one name, so that a flag would mean either.
    """
    found: dict[str, Knob] = {}
    for knob in _knobs(recipe, ()):
        if knob.name in found:
            raise InputError(
                f"knobs of different names in {recipe.__name__}",
                f"{knob.name!r} twice",
                "rename one of the fields",
            )
        found[knob.name] = knob
    return found


def _knobs(kind: type, path: tuple[str, ...]) -> Iterator[Knob]:
    texts, hints = field_texts(kind), typing.get_type_hints(kind)
    for field in fields(kind):
        hint, optional = _without_none(hints[field.name])
        if is_dataclass(hint):
            yield from _knobs(typing.cast(type, hint), (*path, field.name))
        elif not field.metadata.get("is_fact"):
            text = re.sub(r"\bNone\b", f"`{NONE}`", texts.get(field.name, ""))
            yield _knob(field, path, hint, optional, text)


def _knob(field: Field[Any], path: tuple[str, ...], kind: Any, optional: bool, text: str) -> Knob:
    more = field.metadata
    return Knob(
        field.name,
        path,
        kind,
        optional,
        text,
        more.get("names", ()),
        more.get("least"),
        bool(more.get("is_path")),
    )


def _without_none(hint: Any) -> tuple[Any, bool]:
    """A type without None, and whether None was one of its values."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint, False
    rest = [one for one in typing.get_args(hint) if one is not type(None)]
    return rest[0], len(rest) < len(typing.get_args(hint))


def with_values(record: T, values: Mapping[str, Any]) -> T:
    """The same record with other values, also of records inside of it, all at once.

    Args:
        record: A recipe, or a record inside of one.
        values: Field of the record, or name of a knob -> its new value.

    Raises:
        InputError: A value is out of its range, or has no field.
    """
    rest, own = dict(values), {}
    for name, kind in _records_in(typing.cast(type, type(record))):
        inner = rest.pop(name, getattr(record, name))
        chosen = {knob: rest.pop(knob) for knob in knobs_of(kind) if knob in rest}
        if chosen:
            inner = kind(**chosen) if inner is None else with_values(inner, chosen)
        own[name] = inner
    unknown = sorted(set(rest) - {field.name for field in fields(record)})  # type: ignore[arg-type]
    if unknown:
        raise InputError("fields of a recipe", ", ".join(unknown), "correct their names")
    return replace(record, **own, **rest)  # type: ignore[type-var]


@functools.cache
def _records_in(kind: type) -> tuple[tuple[str, type], ...]:
    """Fields of a record that are records themselves, with their types."""
    hints = typing.get_type_hints(kind)
    found = []
    for field in fields(kind):
        hint, _ = _without_none(hints[field.name])
        if is_dataclass(hint):
            found.append((field.name, typing.cast(type, hint)))
    return tuple(found)
