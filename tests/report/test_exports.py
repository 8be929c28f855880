"""What the terminal and the page say of exported files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nas.deployment.int8 import int8_settings
from nas.deployment.records import ExportedFile, Exports, Parity
from nas.report.exports import export_lines, exports_table, parity_text
from nas.report.sections.exports import exports
from tests.deployment.test_timing import file, timings

RUN = Path("/runs/one")


def judged(name: str, flips: int) -> ExportedFile:
    found = Parity(2e-6, 5.0, 1 - flips / 100, 10.0, 100, flips)
    return replace(file(name, 0.9), parity=found)


def both() -> Exports:
    return Exports(
        files=(judged("fp32", 0), replace(judged("int8", 3), int8=int8_settings(200, 0, None))),
        timings=timings("faster", 0.6, 0.58, 0.62),
        recommended="int8",
        advice="int8 takes 0.600 times as long.",
    )


def test_the_table_has_accuracy_and_milliseconds_of_each_file() -> None:
    table = exports_table(both())
    cells = [list(column.cells) for column in table.columns]
    assert cells[0] == ["fp32.onnx", "int8.onnx"]
    assert cells[1] == ["90.00 %", "90.00 %"] and cells[3] == ["0 of 100", "3 of 100"]
    assert cells[5] == ["1.000", "1.000"] and cells[7] == ["–", "0.600"]
    assert cells[8][1] == "0.580–0.620"
    assert [row.style for row in table.rows] == [None, "bold"]


def test_sentences_say_where_classes_differ_and_how_int8_was_made() -> None:
    lines = export_lines(both(), RUN, None)
    assert lines[0].startswith("fp32.onnx: same class as Keras on all 100 evaluation images")
    assert "another class than Keras on 3 of 100" in lines[1] and "flips.csv" in lines[1]
    assert "u8s8, a scale for each channel, calibrated (minmax) on 200 training" in lines[2]
    assert lines[3] == "int8 takes 0.600 times as long." and len(lines) == 4


def test_one_file_alone_says_how_to_get_the_others() -> None:
    found = export_lines(Exports(files=(judged("fp32", 0),)), RUN, None)
    assert found[-1].endswith("--export int8,litert") and "without training" in found[-1]


def test_for_another_device_the_comparison_is_left_to_it() -> None:
    found = export_lines(replace(both(), timings=None, advice=""), RUN, "board")
    assert "faster on board cannot be told here" in found[-1]


def test_what_was_not_compared_says_why() -> None:
    text = parity_text(replace(file("litert", None), note="no interpreter"))
    assert text == "litert.onnx: not compared with Keras: no interpreter."


def test_the_page_has_a_row_a_file_and_nothing_before_there_are_any() -> None:
    def shown(found: Exports | None) -> str:
        records: Any = SimpleNamespace(certificate=SimpleNamespace(exports=found))
        return exports(SimpleNamespace(records=records))  # type: ignore[arg-type]

    assert shown(None) == ""
    page = shown(both())
    assert page.count("<tr>") == 3 and "3 of 100" in page and "0.600" in page
