"""The history of a search or a training, read back."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.runs.strict_json import ReportError, read_text
from nas.training.loop import Row


def read_history(path: Path) -> list[Row]:
    """Rows of a history file; numbers as floats, empty cells as None."""
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as stream:
        return [{k: _cell(v) for k, v in row.items()} for row in csv.DictReader(stream)]


def _cell(text: str) -> Any:
    if text == "":
        return None
    try:
        return float(text)
    except ValueError:
        return text


TEXT_COLUMNS = ("stage",)


HistoryRow = Mapping[str, float | str | None]


def read_csv_rows(path: Path) -> tuple[HistoryRow, ...]:
    text = read_text(path)
    if not text:
        return ()
    reader = csv.DictReader(io.StringIO(text))
    if "step" not in (reader.fieldnames or ()):
        raise ReportError(
            f"a column `step` in {path}",
            f"columns {reader.fieldnames}",
            "repair the file, or run that stage again",
        )
    return tuple(_history_row(path, reader.line_num, row) for row in reader)


def _history_row(path: Path, line: int, row: Mapping[str, str | None]) -> HistoryRow:
    values: dict[str, float | str | None] = {}
    for name, cell in row.items():
        if name is None:
            raise ReportError(
                f"as many cells as columns in line {line} of {path}", "more", "repair the file"
            )
        if name in TEXT_COLUMNS or not cell:
            values[name] = cell or None
            continue
        try:
            values[name] = float(cell)
        except ValueError:
            raise ReportError(
                f"a number or nothing as `{name}` in line {line} of {path}",
                repr(cell)[:80],
                "repair the file, or run that stage again",
            ) from None
    if not isinstance(values["step"], float) or not math.isfinite(values["step"]):
        raise ReportError(f"a step in line {line} of {path}", "none", "repair the file")
    return values


def column(rows: Sequence[HistoryRow], name: str) -> tuple[list[float], list[float]]:
    """Steps and values of one column where it is known and finite."""
    steps, values = [], []
    for row in rows:
        value = row.get(name)
        if isinstance(value, float) and math.isfinite(value):
            steps.append(float(row["step"] or 0.0))
            values.append(value)
    return steps, values
