"""The strict reader and writer of records: what goes through, and every refusal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Optional, Union

import pytest

from latency.device import strict_json
from latency.device.errors import FileFormatError, LatencyError


class TooLowError(LatencyError):
    """Raised by a record itself."""


@dataclass(frozen=True)
class Inner:
    count: int
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.count < 0:
            raise TooLowError("a count of 0 or more", str(self.count), "count again")


@dataclass(frozen=True)
class Outer:
    SCHEMA_VERSION: ClassVar[int] = 3

    name: str
    inner: Inner
    inners: tuple[Inner, ...] = ()
    by_name: Mapping[str, Inner] = field(default_factory=dict)


@dataclass(frozen=True)
class Kinds:
    """Written as Python 3.9 needs it."""

    flag: bool = True
    text: str = "t"
    maybe: Optional[int] = None
    either: Union[int, float, str] = 0
    mode: Literal["fast", 1, None] = "fast"
    pair: tuple[str, float] = ("a", 1.0)
    many: tuple[float, ...] = ()
    table: tuple[tuple[float, ...], ...] = ()
    listed: list[int] = field(default_factory=list)
    bare: tuple = ()  # type: ignore[type-arg]
    counts: Mapping[str, int] = field(default_factory=dict)
    anything: Any = None
    record: Optional[Inner] = None
    inner_or_number: Union[Inner, float] = 0.0


@dataclass(frozen=True)
class Newer:
    """Written as newer interpreters know it."""

    maybe: int | None = None
    counts: dict[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Derived:
    KEYS: ClassVar[tuple[str, ...]] = ("double", "number")

    number: int
    note: str = ""

    @property
    def double(self) -> int:
        return 2 * self.number


# Python 3.9 knows this form in text alone, and records are read at run time.
NEWER = pytest.mark.skipif(sys.version_info < (3, 10), reason="an older Python")
OUTER = Outer("n", Inner(1), (Inner(2, 1.0), Inner(3)), {"a": Inner(4)})


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(strict_json.dumps(OUTER))
    assert strict_json.read(Outer, path) == OUTER
    assert next(iter(json.loads(path.read_text()))) == "schema_version"
    assert strict_json.dumps(OUTER, indent=None).count("\n") == 1


@pytest.mark.parametrize(
    "record",
    [
        Kinds(),
        Kinds(False, "", 3, 0.5, 1, ("b", 2.0), (1.0, 2.0), ((1.0,), ()), [1, 2]),
        Kinds(either="text", mode=None, counts={"a": 1}, anything={"x": [1, None]}),
        Kinds(record=Inner(1), inner_or_number=Inner(2)),
        pytest.param(Newer(1, {"a": None, "b": 2}), marks=NEWER),
        Derived(4),
    ],
)
def test_every_kind_of_field_survives(record: Any) -> None:
    plain = json.loads(strict_json.dumps(record))
    assert strict_json.decode(type(record), plain, "here") == record


def test_whole_numbers_count_as_numbers_but_stay_whole_where_both_may_be() -> None:
    assert type(decoded("many", [1, 2.5]).many[0]) is float
    assert decoded("pair", ["a", 2]).pair == ("a", 2.0)
    assert type(decoded("either", 3).either) is int
    assert type(decoded("either", 3.0).either) is float
    assert type(decoded("inner_or_number", 3).inner_or_number) is float


def decoded(name: str, value: Any) -> Kinds:
    return strict_json.decode(Kinds, {name: value}, "here")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("flag", 1, "true or false at `flag` in here"),
        ("flag", "true", "true or false at `flag`"),
        ("text", 1, "text at `text`"),
        ("text", None, "text at `text`"),
        ("maybe", "1", "a whole number at `maybe`"),
        ("maybe", 1.0, "a whole number at `maybe`"),
        ("maybe", True, "a whole number at `maybe`"),
        ("either", [], "text at `either`"),
        ("mode", "slow", "one of 'fast', 1, None at `mode`"),
        ("mode", True, "one of 'fast', 1, None at `mode`"),
        ("mode", 1.0, "one of 'fast', 1, None at `mode`"),
        ("mode", [], "one of 'fast', 1, None at `mode`"),
        ("pair", ["a"], "a list of 2 at `pair`"),
        ("pair", ["a", 1.0, 2.0], "a list of 2 at `pair`"),
        ("pair", [1.0, 1.0], r"text at `pair\[0\]`"),
        ("many", [1.0, "2"], r"a number at `many\[1\]`"),
        ("many", [1.0, True], r"a number at `many\[1\]`"),
        ("many", [1.0, None], r"a number at `many\[1\]`"),
        ("many", 1.0, "a list at `many`"),
        ("many", {"0": 1.0}, "a list at `many`"),
        ("many", [10**400], "a number that a computer holds at"),
        ("table", [[1.0], ["x"]], r"a number at `table\[1\]\[0\]`"),
        ("listed", [1, 2.0], r"a whole number at `listed\[1\]`"),
        ("counts", [1], "an object at `counts`"),
        ("counts", {"a": "1"}, "a whole number at `counts.a`"),
        ("record", [], "an object at `record`"),
        ("record", {"count": 1, "hare": 2}, "the keys count, share at `record`"),
        ("inner_or_number", {"count": "x"}, "a number at `inner_or_number`"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_place(
    name: str, value: Any, expected: str
) -> None:
    with pytest.raises(FileFormatError, match=f"Expected {expected}") as info:
        decoded(name, value)
    assert "in here" in info.value.expected and info.value.received and info.value.fix


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    plain = strict_json.encode(OUTER)
    with pytest.raises(FileFormatError, match="Received: 'iner'.\nFix: write 'inner'"):
        strict_json.decode(Outer, {**plain, "iner": 1}, "here")
    with pytest.raises(FileFormatError, match="Received: 'zzz'.\nFix: remove 'zzz'"):
        strict_json.decode(Outer, {**plain, "zzz": 1}, "here")
    plain["by_name"]["a"]["more"] = 1
    with pytest.raises(FileFormatError, match="at `by_name.a` in here"):
        strict_json.decode(Outer, plain, "here")


def test_a_missing_key_is_refused_unless_it_has_a_default() -> None:
    inner = {"count": 1}
    assert strict_json.decode(Outer, {"name": "n", "inner": inner}, "here").inner == Inner(1)
    with pytest.raises(FileFormatError, match="Expected the key 'inner' in here"):
        strict_json.decode(Outer, {"name": "n"}, "here")
    with pytest.raises(FileFormatError, match="Expected the key 'count' at `inner` in here"):
        strict_json.decode(Outer, {"name": "n", "inner": {}}, "here")


def test_every_key_can_be_asked_for() -> None:
    plain = strict_json.encode(OUTER)
    assert strict_json.decode(Outer, plain, "here", every_key=True) == OUTER
    del plain["inner"]["share"]
    with pytest.raises(FileFormatError, match="Expected the key 'share' at `inner` in here"):
        strict_json.decode(Outer, plain, "here", every_key=True)
    derived = strict_json.decode(Derived, {"number": 1}, "here", every_key=True)
    assert derived == Derived(1)


def test_what_a_record_refuses_is_told_with_its_place() -> None:
    plain = strict_json.encode(OUTER)
    plain["inners"][1]["count"] = -1
    with pytest.raises(FileFormatError) as info:
        strict_json.decode(Outer, plain, "here")
    assert info.value.expected == "a count of 0 or more at `inners[1]` in here"
    assert (info.value.received, info.value.fix) == ("-1", "count again")


def test_keys_name_what_is_written_and_what_is_read() -> None:
    record = Derived(4, note="stays here")
    assert list(strict_json.encode(record).items()) == [("double", 8), ("number", 4)]
    # A value that can be computed again is not believed.
    assert strict_json.decode(Derived, {"double": 1, "number": 4}, "here") == Derived(4)
    with pytest.raises(FileFormatError, match="Received: 'note'"):
        strict_json.decode(Derived, {"number": 4, "note": ""}, "here")


@pytest.mark.parametrize("value", [[], None, "text", 1])
def test_a_record_is_an_object(value: Any) -> None:
    with pytest.raises(FileFormatError, match="Expected an object in here"):
        strict_json.decode(Inner, value, "here")


def test_a_field_that_json_does_not_have_is_a_defect() -> None:
    @dataclass(frozen=True)
    class Odd:
        path: Path

    with pytest.raises(TypeError, match="annotate it with numbers"):
        strict_json.decode(strange(Odd), {"path": "x"}, "here")


def strange(cls: Any) -> Any:
    """A local class's annotations are resolved in the module, where `Path` is known."""
    return cls


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ('{"a": 1} x', "Extra data"),
        ('{"a": NaN}', "NaN, which is no number"),
        ('{"a": Infinity}', "Infinity, which is no number"),
        ('{"a": -Infinity}', "-Infinity, which is no number"),
        ('{"a": 1e999}', "1e999, which is no number that a computer holds"),
        ('{"a": -1e999}', "-1e999, which is no number"),
        ('{"a": 1, "a": 2}', "the key 'a' twice"),
        ('[{"b": {"a": 1, "a": 1}}]', "the key 'a' twice"),
        ("[" * 100_000, "too many levels"),
        ("[" * 61 + "]" * 61, "more"),
        ("1" * 5000, "digits"),
    ],
)
def test_text_that_the_writer_never_makes_is_refused(text: str, received: str) -> None:
    with pytest.raises(FileFormatError) as info:
        strict_json.loads(text, "here")
    assert "in here" in info.value.expected and info.value.fix
    if received != "digits":  # older interpreters read numbers of any length
        assert received in info.value.received


def test_sixty_levels_are_read() -> None:
    # A level is a list or an object; what stands in the innermost list would be the next.
    assert strict_json.loads("[" * 60 + "]" * 60, "here")
    assert strict_json.loads('{"a": [1.5, null, true, "x"]}', "here") == {
        "a": [1.5, None, True, "x"]
    }


@pytest.mark.parametrize(
    ("version", "received"),
    [(None, "no schema_version"), (2, "2"), (4, "4"), ("3", "'3'"), (True, "True"), (3.0, "3.0")],
)
def test_another_schema_version_is_refused(tmp_path: Path, version: Any, received: str) -> None:
    path = tmp_path / "record.json"
    plain = {"schema_version": version, **strict_json.encode(OUTER)}
    path.write_text(json.dumps({k: v for k, v in plain.items() if v is not None}))
    with pytest.raises(FileFormatError, match="Expected schema version 3 in") as info:
        strict_json.read(Outer, path)
    assert info.value.received == received


@dataclass(frozen=True)
class Grown:
    """A record that had one key less in the version before."""

    SCHEMA_VERSION: ClassVar[int] = 3
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (2,)

    count: int
    more: str = ""


def test_a_version_that_lacks_only_keys_with_a_default_is_read(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text('{"schema_version": 2, "count": 1}')
    assert strict_json.read(Grown, path) == Grown(1)
    assert strict_json.dumps(Grown(1)).startswith('{\n "schema_version": 3,')
    for version in ("1", "4", "true", '"2"', "2.0"):
        path.write_text(f'{{"schema_version": {version}, "count": 1}}')
        with pytest.raises(FileFormatError, match="Expected schema version 3 in"):
            strict_json.read(Grown, path)


def test_a_record_without_a_version_takes_a_file_with_any(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    for text in ('{"count": 1}', '{"schema_version": 9, "count": 1}'):
        path.write_text(text)
        assert strict_json.read(Inner, path) == Inner(1)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="Expected a readable file .*none.json"):
        strict_json.read(Inner, tmp_path / "none.json")
    with pytest.raises(FileFormatError, match="Expected a readable file"):
        strict_json.read_object(tmp_path)
    path = tmp_path / "record.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FileFormatError, match="Expected a readable text file"):
        strict_json.read(Inner, path)
    path.write_text("[]")
    with pytest.raises(FileFormatError, match="Expected a JSON object in .*\nReceived: list"):
        strict_json.read(Inner, path)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nothing_that_cannot_be_read_is_written(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        strict_json.dumps(Inner(1, value))


def test_an_error_can_go_from_one_process_to_another() -> None:
    error = FileFormatError("a", "b", "c")
    kind, arguments = error.__reduce__()
    assert str(kind(*arguments)) == str(error) == "Expected a.\nReceived: b.\nFix: c."


def test_sentences_get_one_full_stop() -> None:
    assert str(LatencyError("a", "b.", "did you mean c?")) == (
        "Expected a.\nReceived: b.\nFix: did you mean c?"
    )


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        "1" * 400,
        "-" + "9" * 5000,
        "9223372036854775808",
        "1e999",
        "-1e999",
        '"\\ud800"',
        '{"\\udc00": 1}',
        "[" + "[]," * strict_json.MOST_CONTAINERS + "[]]",
    ],
    ids=lambda text: text[:12],
)
def test_values_that_no_program_of_ours_writes_are_refused(text: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        strict_json.loads(text, "the file")
    assert "the file" in caught.value.expected and len(str(caught.value)) < 1000


def test_the_largest_values_are_read() -> None:
    text = '[9223372036854775807, -9223372036854775807, 1e308, "\\ud83d\\ude00"]'
    assert strict_json.loads(text, "x") == [2**63 - 1, 1 - 2**63, 1e308, "\U0001f600"]
