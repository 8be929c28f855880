"""Histories read back as they were written, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from latency.errors import FileFormatError
from nas.runs.history import column, columns, read_history


@dataclass(frozen=True)
class Row:
    step: int
    stage: str | None = None
    weight: float | None = field(default=None, metadata={"column": "lambda"})


def read(tmp_path: Path, text: str) -> tuple[Row, ...]:
    path = tmp_path / "history.csv"
    path.write_text(text, encoding="utf-8")
    return read_history(Row, path)


def test_a_column_may_have_a_name_that_no_field_can_have(tmp_path: Path) -> None:
    assert columns(Row) == {"step": "step", "stage": "stage", "lambda": "weight"}
    rows = read(tmp_path, "step,stage,lambda\n10,warmup,\n20,search,0.5\n")
    assert rows == (Row(10, "warmup", None), Row(20, "search", 0.5))


def test_what_is_missing_or_empty_has_no_rows(tmp_path: Path) -> None:
    assert read_history(Row, tmp_path / "none.csv") == ()
    assert read(tmp_path, "") == ()


def test_a_row_that_broke_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    assert read(tmp_path, "step,stage,lambda\n10,warmup\n") == (Row(10, "warmup", None),)


def test_columns_are_drawn_where_they_are_known_and_finite(tmp_path: Path) -> None:
    rows = read(tmp_path, "step,lambda\n1,\n2,nan\n3,inf\n4,0.5\n")
    assert column(rows, "weight") == ([4.0], [0.5])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stage\nwarmup\n", "a column `step`"),
        ("step,colour\n1,red\n", "the columns step, stage, lambda"),
        ("step,lambda\n1,much\n", "a number or nothing as `lambda` in line 2"),
        ("step\n1.5\n", "a whole number or nothing as `step` in line 2"),
        ("step,stage\n,warmup\n", "a step in line 2"),
        ("step\n1,2\n", "as many cells as columns in line 2"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(FileFormatError, match=expected):
        read(tmp_path, text)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileFormatError, match="a readable text file"):
        read_history(Row, tmp_path / "history.csv")
