"""What the commands that time files and read tables print and refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from latency.cli import program
from latency.onnx_files.features import FEATURES, row_features, vector_channels
from latency.onnx_files.operators import row_operators
from latency.onnx_files.precision import default_scheme
from latency.tables.row_model import RowModel
from latency.tables.table import LatencyTable
from tests.support.latency_graphs import chain, toy_table
from tests.support.unhurried import TWO_ROUNDS_FLAGS

LONG, SHORT, COPIES = chain(4), chain(1), 3


@pytest.fixture(scope="module")
def measured() -> LatencyTable:
    """A table of two rows, without whole networks."""
    return toy_table(wholes=())


@pytest.fixture
def table(measured: LatencyTable, tmp_path: Path) -> Path:
    """A table whose predictor knows one row, at a quarter of a millisecond for each node."""
    features = row_features(LONG, SHORT, COPIES, vector_channels(measured.host.isa_flags))
    model = RowModel(
        costs_ms={**dict.fromkeys(FEATURES, 0.0), "nodes": 0.25},
        low=features,
        high=features,
        intensity=(0.0, 1e9),
        operators=row_operators(LONG, SHORT),
        held_out={"n": 20, "mape_percent": 7.5},
    )
    path = tmp_path / "table.json"
    replace(measured, row_model=model).save(path)
    return path


@pytest.fixture
def graphs(tmp_path: Path) -> list[str]:
    """Arguments that name a row of one convolution: a long graph, a short one, the copies more."""
    long, short = tmp_path / "long.onnx", tmp_path / "short.onnx"
    long.write_bytes(LONG)
    short.write_bytes(SHORT)
    return [str(long), "--short", str(short), "--divisor", str(COPIES)]


def test_a_predicted_row_comes_with_what_it_rests_on(
    table: Path, graphs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["predict", str(table), *graphs, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    # A block is a convolution with its activation inside: one node.
    assert printed["predicted_ms"] == 0.25 and printed["features"]["nodes"] == 1.0
    assert set(printed["features"]) == set(FEATURES)
    assert printed["operators"] == ["Conv full", "Relu fused"]
    assert printed["held_out"] == {"n": 20, "mape_percent": 7.5}


def test_a_predicted_row_is_one_line_for_people(
    table: Path, graphs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["predict", str(table), *graphs]) == 0
    assert capsys.readouterr().out == (
        "0.2500 ms before calibration; 20 rows left out in turn were met within 7.5 % on average\n"
    )


def test_a_row_unlike_the_measured_ones_is_not_predicted(
    table: Path, graphs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    # Without the short graph, the row is the whole long one, with its stem and pooling.
    assert program.main(["predict", str(table), graphs[0]]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "Fix: measure this row, or a table of rows" in printed.err


def test_a_table_is_shown_as_it_was_saved(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["show", str(table), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == LatencyTable.load(table).to_json()
    assert sorted(printed["rows"]) == ["block", "stem"]


@pytest.mark.skipif(default_scheme() != "u8s8", reason="ARM processors have fp16 kernels")
def test_fp16_that_would_be_fp32_is_refused_before_it_is_measured(
    tmp_path: Path, graphs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.json"
    arguments = [
        "measure",
        graphs[0],
        "--precision",
        "fp16",
        "--output",
        str(output),
        *TWO_ROUNDS_FLAGS,
    ]
    assert program.main([*arguments, *TWO_ROUNDS_FLAGS]) == 2
    assert "that CPUExecutionProvider computes in fp16" in capsys.readouterr().err
    assert not output.exists()
