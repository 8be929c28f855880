"""The history of a search or a training, read back from its CSV file."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from latency.device.files import read_bytes
from latency.errors import FileFormatError

T = TypeVar("T")
REPAIR = "repair the file, or run that stage again"


def read_history(kind: type[T], path: Path) -> tuple[T, ...]:
    """Rows of a history file; none where it is missing or empty.

    Args:
        kind: Record of one row, with a field `step`; a field is the column of its name, or of the
            name in its metadata as `column`. Empty cells are None.
        path: Of the file.

    Raises:
        FileFormatError: The file cannot be read, or a column or cell is not of such a record.
    """
    if not path.exists():
        return ()
    try:
        text = read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"a readable text file {path}", str(error), REPAIR) from None
    if not text:
        return ()
    try:
        return _rows(kind, csv.DictReader(io.StringIO(text)), path)
    except csv.Error as error:  # a cell of more than 128 kB, for example
        raise FileFormatError(f"a table of cells in {path}", str(error), REPAIR) from None


def _rows(kind: type[T], reader: csv.DictReader[str], path: Path) -> tuple[T, ...]:
    fields = columns(kind)
    names = reader.fieldnames or ()
    if "step" not in names:
        raise FileFormatError(f"a column `step` in {path}", ", ".join(names), REPAIR)
    for name in names:
        if name not in fields:
            raise FileFormatError(f"the columns {', '.join(fields)} in {path}", repr(name), REPAIR)
    types = typing.get_type_hints(kind)
    rows = []
    for row in reader:
        place = f"line {reader.line_num} of {path}"
        rows.append(kind(**_values(fields, types, row, place)))
    return tuple(rows)


def columns(kind: Any) -> dict[str, str]:
    """Column of the file -> field of the record.

    Args:
        kind: Dataclass of one row.
    """
    return {f.metadata.get("column", f.name): f.name for f in dataclasses.fields(kind)}


def _values(
    fields: Mapping[str, str], types: Mapping[str, Any], row: Mapping[Any, Any], place: str
) -> dict[str, Any]:
    if None in row:
        raise FileFormatError(f"as many cells as columns in {place}", "more", REPAIR)
    values = {
        fields[name]: _value(types[fields[name]], name, cell, place) for name, cell in row.items()
    }
    if values["step"] is None:
        raise FileFormatError(f"a step in {place}", "none", REPAIR)
    return values


def _value(kind: Any, name: str, cell: str | None, place: str) -> float | str | None:
    """A cell as its field's type has it; what an unfinished row lacks is as good as empty."""
    if not cell:
        return None
    kinds = typing.get_args(kind) or (kind,)
    if str in kinds:
        return cell
    try:
        value = int(cell) if int in kinds else float(cell)
        if int in kinds and abs(value) >= 2**63:
            raise ValueError
        return value
    except ValueError:
        number = "a whole number" if int in kinds else "a number"
        raise FileFormatError(
            f"{number} or nothing as `{name}` in {place}", repr(cell)[:80], REPAIR
        ) from None


def column(rows: Sequence[Any], name: str) -> tuple[list[float], list[float]]:
    """Steps and values of one column where it is known and finite.

    Args:
        rows: Records of a history.
        name: Field with numbers.
    """
    pairs = [(float(row.step), getattr(row, name)) for row in rows]
    known = [(step, value) for step, value in pairs if value is not None and math.isfinite(value)]
    return [step for step, _ in known], [value for _, value in known]
