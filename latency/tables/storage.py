"""Tables as files, and whether one may be used here: what is refused, what is only said."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar

from latency import atomic
from latency.device import strict_json
from latency.device.host import Host
from latency.device.settings import SessionSettings
from latency.errors import FileFormatError, LatencyError, StandInError
from latency.tables import seal
from latency.tables.rows import Row

SCHEMA_VERSION = 3
# One line for each of their entries keeps a table of samples readable and its changes visible.
LINE_PER_ENTRY = ("rows", "networks", "anchors", "state_log")
CSV_COLUMNS = ("key", "latency_ms", "low_ms", "high_ms", "count", "stable", "noise")
MAX_AGE_DAYS = 30
FIX = "build the table again, or name another file"

T = TypeVar("T")


class TableFileError(LatencyError):
    """A file that is no table of this version."""


class TableMismatchError(LatencyError):
    """A table of another space, image size, precision, of other settings, or of another host."""


class Expected(TypedDict, total=False):
    """What a table has to be of; None, or absence, leaves a property unchecked.

    Attributes:
        space: Name of the search space.
        space_hash: Of its definition.
        image_size: Side of the input in pixels.
        precision: Such as 'fp32'.
        scheme: How int8 was made; empty for other precisions.
        batch: Images in one run.
        provider: Execution provider, by onnxruntime's name.
        settings: Of the sessions, all of them; `provider` is one.
    """

    space: str | None
    space_hash: str | None
    image_size: int | None
    precision: str | None
    scheme: str | None
    batch: int | None
    provider: str | None
    settings: SessionSettings | None


def read(cls: type[T], path: str | os.PathLike[str]) -> T:
    """Reads a table's file, without any judgement on whether it fits.

    Args:
        cls: The record of a table.
        path: Of the file.

    Raises:
        TableFileError: The file is missing, broken, edited, or of another schema version.
    """
    source = str(path)
    try:
        document = strict_json.read_object(path)
    except FileFormatError as error:
        fix = error.fix if isinstance(error, StandInError) else FIX
        raise TableFileError(f"a latency table in JSON at {source}", error.received, fix) from None
    try:
        plain = strict_json.unversioned(cls, document, source)
    except FileFormatError as error:
        raise TableFileError(error.expected, error.received, error.fix) from None
    try:
        table = strict_json.decode(cls, seal.unsealed(plain), source, every_key=True)
    except FileFormatError as error:
        raise TableFileError(error.expected, error.received, FIX) from None
    try:
        # After the form: what is of a wrong type, and where, says more than that it was edited.
        seal.check(document, source)
    except FileFormatError as error:
        raise TableFileError(error.expected, error.received, error.fix) from None
    return table


def text(document: Mapping[str, Any]) -> str:
    """Returns a table's JSON with its seals, one line for each row and network.

    Args:
        document: Plain values, without seals.

    Raises:
        ValueError: A value is NaN or infinite.
    """
    parts = []
    for key, value in seal.sealed(document).items():
        body = _line_per_entry(value) if key in LINE_PER_ENTRY else _compact(value)
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


def write_csv(rows: Mapping[str, Row], path: str | os.PathLike[str]) -> None:
    """Writes one line a row for spreadsheets, without the samples."""
    stream = io.StringIO()
    features = sorted({name for row in rows.values() for name in row.features})
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*CSV_COLUMNS, *features])
    for row in rows.values():
        figures = [getattr(row, name) for name in CSV_COLUMNS]
        writer.writerow([*figures, *(row.features.get(name, 0) for name in features)])
    atomic.write_text(path, stream.getvalue())


def refuse_other(path: str | os.PathLike[str], expected: Expected, found: Expected) -> None:
    """Refuses a table of which a property or a setting differs from what is expected.

    Args:
        path: Of the table's file.
        expected: What it has to be of; None is unchecked.
        found: What it is of, all of it.

    Raises:
        TableMismatchError: Something differs; each such property is named.
    """
    wanted, own = _properties(expected), _properties(found)
    others = [name for name, value in wanted.items() if value is not None and value != own[name]]
    if others:
        raise TableMismatchError(
            f"a table of {', '.join(f'{name} {wanted[name]!r}' for name in others)} in {path}",
            ", ".join(f"{name} {own[name]!r}" for name in others),
            f"build a table for this {' and '.join(others)}, or name another file",
        )


def _properties(expected: Expected) -> dict[str, Any]:
    """Property -> value, each setting of the sessions by itself."""
    found: dict[str, Any] = dict(expected)
    settings = found.pop("settings", None)
    if settings is None:
        return found
    # Fields that take no part in comparisons say where a value came from, not what it is.
    return {**found, **{f.name: getattr(settings, f.name) for f in fields(settings) if f.compare}}


def refuse_other_host(path: str | os.PathLike[str], differences: Sequence[str]) -> None:
    """Refuses a table of another machine.

    Args:
        path: Of the table's file.
        differences: Between both machines, in words; none for the same machine.

    Raises:
        TableMismatchError: There are some.
    """
    if differences:
        raise TableMismatchError(
            f"a table measured on this machine in {path}",
            f"another host ({'; '.join(differences)})",
            "build the table here, or say that the network is meant for the other device",
        )


def doubts(measured: Host, here: Host, date: str) -> tuple[str, ...]:
    """Says what makes a table doubtful here without making it wrong.

    Args:
        measured: The host that the table is of.
        here: This host.
        date: Of the measurement, ISO 8601 with a time zone.
    """
    warnings = [f"the table is of another host: {t}" for t in here.differences(measured)]
    limits = here.other_limits(measured)
    warnings += [f"the table was measured under another limit: {text}" for text in limits]
    if measured.onnxruntime_minor != here.onnxruntime_minor:
        warnings.append(
            f"the table was measured with onnxruntime {measured.onnxruntime}, "
            f"here is {here.onnxruntime}: versions move latencies; build it again"
        )
    age_days = (datetime.now(UTC) - datetime.fromisoformat(date)).days
    if age_days > MAX_AGE_DAYS:
        warnings.append(f"the table is {age_days} days old; build it again if anything changed")
    return tuple(warnings)
