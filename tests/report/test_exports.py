"""What the terminal and the page say of exported files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.deployment.int8 import int8_settings
from nas.deployment.records import ExportedFile, Exports, Int8Block, Int8Blocks, Parity
from nas.report.exports import (
    blocks_table,
    export_lines,
    exports_table,
    parity_text,
    print_exports,
)
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


def with_blocks() -> Exports:
    block = Int8Block(
        name="0",
        layer="cn_r1_k3_s2_c4",
        kernel_decibel=45.25,
        output_decibel=None,
        gain_ms=0.0123,
        cross_entropy_loss=-0.001,
        is_int8=True,
    )
    choice = Int8Blocks(
        source_sha256="s",
        host_fingerprint="h",
        date="d",
        int8=int8_settings(200, 0, None),
        judging_images=1500,
        fp32_ms=0.5,
        fp32_top1=0.9,
        blocks=(block, replace(block, name="1", is_int8=False)),
        candidates=(),
        chosen=("0",),
        reason="1 blocks in int8 take 0.900 times as long.",
    )
    return replace(both(), int8_blocks=choice)


def test_blocks_have_a_row_each_with_errors_gain_and_loss() -> None:
    found = with_blocks().int8_blocks
    assert found is not None
    table = blocks_table(found)
    cells = [list(column.cells) for column in table.columns]
    assert cells[0] == ["0 cn_r1_k3_s2_c4", "1 cn_r1_k3_s2_c4"]
    assert [column[0] for column in cells[1:]] == ["45.2", "–", "+0.0123", "-0.00100", "int8"]
    assert cells[5][1] == "float32"


def test_terminal_and_page_tell_why_blocks_were_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_exports(with_blocks(), RUN, None)
    printed = capsys.readouterr().out
    assert "Blocks in int8" in printed and "1 blocks in int8 take 0.900" in printed
    records: Any = SimpleNamespace(certificate=SimpleNamespace(exports=with_blocks()))
    page = exports(SimpleNamespace(records=records))  # type: ignore[arg-type]
    assert "<h3>Blocks in int8</h3>" in page and "on 1500 training images" in page
    assert "+0.0123" in page and page.count("<tr>") == 3 + 3


def test_a_file_of_emulated_formats_says_so_and_proposes_no_others() -> None:
    note = "no milliseconds are measured"
    found = Exports(files=(replace(judged("fp32", 0), note=note),))
    lines = export_lines(found, RUN, None)
    assert f"fp32.onnx: {note}." in lines and not any("--export" in line for line in lines)
    records: Any = SimpleNamespace(certificate=SimpleNamespace(exports=found))
    assert note in exports(SimpleNamespace(records=records))  # type: ignore[arg-type]


def test_a_file_without_any_block_in_int8_is_not_said_to_be_calibrated() -> None:
    found = both()
    same = replace(judged("int8_blocks", 0), int8=int8_settings(200, 0, None))
    found = replace(found, files=(*found.files, replace(same, file_sha256="fp32")))
    lines = export_lines(found, RUN, None)
    assert sum("calibrated" in line for line in lines) == 1
