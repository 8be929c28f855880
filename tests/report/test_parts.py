"""The report's figures, joins and pictures, each by itself."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from nas.architecture.spec import Conv, Dense, Dropout, GlobalAveragePool
from nas.methods.history import GateChoice, GateHistory
from nas.report import cards, numbers
from nas.report.blocks import row_parts
from nas.report.comparison import compare
from nas.report.gate_facets import option_colour
from nas.report.gates import SMALL_HEIGHT, gates_html
from nas.report.plots import moving_average
from nas.report.terminal import terminal_table, verdict_lines
from nas.runs.folder import RunFolder
from nas.runs.records import Baselines, Certificate, CertifiedNetwork
from tests.support.report_run import (
    CHOSEN,
    RECIPE,
    SPACE,
    certificate_of,
    make_run,
    network,
    predicted_ms,
    report_table,
)


def test_milliseconds_of_all_rows_add_up_to_the_prediction() -> None:
    table = report_table()
    for architecture in (CHOSEN, SPACE.smallest(), SPACE.largest()):
        parts = row_parts(architecture, table)
        assert None not in [part.latency_ms for part in parts]
        total_ms = sum(part.latency_ms or 0.0 for part in parts)
        # Sums of twenty floats in another order.
        assert total_ms + table.affine[1] == pytest.approx(predicted_ms(architecture), rel=1e-12)


def test_the_head_is_one_row_with_milliseconds() -> None:
    head = row_parts(CHOSEN, report_table())[-1]
    assert [type(layer.layer) for layer in head.layers] == [
        Conv,
        GlobalAveragePool,
        Dropout,
        Dense,
    ]
    assert head.latency_ms is not None and head.latency_ms > 0


def test_every_layer_is_in_one_row() -> None:
    parts = row_parts(CHOSEN, None)
    assert tuple(x.layer for part in parts for x in part.layers) == CHOSEN.layers
    assert {part.latency_ms for part in parts} == {0.0, None}, "skipped blocks take no time"


def test_milliseconds_of_a_row_that_the_table_lacks_are_unknown() -> None:
    resized = CHOSEN.with_num_classes(10)
    parts = row_parts(resized, report_table())
    assert parts[-1].latency_ms is None
    assert None not in [part.latency_ms for part in parts[:-1]]


def test_gate_areas_are_stacked_to_the_top() -> None:
    options = ("ir_r1_k3_s1_e3_c8", "ir_r1_k7_s1_e6_c8", "skip")
    records = (((0.5, 0.25, 0.25),), ((0.1, 0.7, 0.2),))
    page = gates_html(GateHistory((GateChoice("stage1_block2", options),), (0, 10), records))
    areas = re.findall(r'<polygon fill="([^"]+)" points="([^"]+)"', page)
    assert [colour for colour, _ in areas] == [option_colour(option) for option in options]
    assert areas[0][1].split()[0] == f"0.0,{SMALL_HEIGHT * 0.5:.1f}"
    assert areas[-1][1].split()[:2] == ["0.0,0.0", "160.0,0.0"]
    assert "<b>k7 e6</b> 70 %" in page
    assert len({option_colour(option) for option in options}) == 3


def test_gates_show_each_decision_of_blocks_that_differ_in_bits() -> None:
    options = tuple(
        f"ir_r1_k{kernel}_s1_e3_c8_wqb{weights}_aqb{read}l_iqu{read}l"
        for kernel in (3, 5)
        for weights in (8, 4)
        for read in (8, 4)
    )
    last = (0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0, 0.1)
    choice = GateChoice("stage1_block2", (*options, "skip"))
    page = gates_html(GateHistory((choice,), (0, 10), ((9 * (1 / 9,),), (last,))))
    # Weights of 8 bits: 0.3 + 0.1 + 0.1 + 0.1; reads of 8 bits likewise; kernel 3: the first four.
    for told in (
        "block <b>k3 e3</b> 60 %",
        "weights <b>8 bits</b> 60 %",
        "reads <b>8 bits</b> 60 %",
    ):
        assert told in page
    areas = re.findall(r"<svg.*?</svg>", page)
    assert [area.count("<polygon") for area in areas] == [3, 3, 3], "two values each, and skip"
    assert "_wqb8" not in page


def test_gates_of_other_layers_show_formats_and_what_is_no_choice_has_no_picture() -> None:
    first = GateChoice("layer1", tuple(f"cn_k3_s1_c4_wq{w}_aqf8.1" for w in ("f8.2", "f8.4")))
    second = GateChoice("layer2", tuple(f"fc_c2_wqf8.2_aq{r}" for r in ("f4.2", "f8.4", "f6.1")))
    records = (((0.25, 0.75), (0.2, 0.3, 0.5)),)
    page = gates_html(GateHistory((first, second), (5,), records))
    assert "weights <b>f8.4</b> 75 %" in page, "bits alone do not tell 8.2 from 8.4"
    assert "reads <b>6 bits</b> 50 %" in page
    assert page.count("<svg") == 2
    # Colours ascend with the bits, whatever the order of the options.
    legend = re.findall(r"></i>([^<]+)</li>", page)
    assert legend == ["f8.2", "f8.4", "4 bits", "6 bits", "8 bits"]


def test_comparison_joins_certificate_and_baselines() -> None:
    def found(name: str, **figures: Any) -> CertifiedNetwork:
        return replace(network(name, CHOSEN, 2.0), **figures)

    own = found(
        "searched", asked_ms=2.0, measured_ms=2.0, measured_low_ms=None, measured_high_ms=None
    )
    certificate = certificate_of([own, found("largest"), found("uniform"), found("random")], False)
    alone = replace(certificate, largest=None, uniform=None)
    trained = found("searched", measured_ms=2.1, measured_low_ms=2.05, top1=0.5)
    other = found("random", measured_ms=2.02, top1=0.4)
    rows = compare(alone, Baselines(RECIPE, (other, trained, other)))
    assert [row.label for row in rows] == ["This network", "Random 1", "Random 2"]
    assert (rows[0].measured_ms, rows[0].top1, rows[0].asked_ms) == (2.0, 0.5, 2.0)
    # The interval of another measurement must not stand beside this one.
    assert rows[0].measured_low_ms is None
    assert rows[1].top1 == 0.4 and rows[1].asked_ms is None
    early = compare(replace(alone, uniform=found("uniform", macs=5)), None)
    assert [row.label for row in early] == ["This network", "Uniform scaling", "Random"]
    assert early[1].macs == 5
    assert compare(None, None) == ()


def rendered(certificate: Certificate, baselines: Baselines | None) -> str:
    console = Console(file=io.StringIO(), width=110)
    console.print(terminal_table(certificate, baselines))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_terminal_table(tmp_path: Path) -> None:
    folder = RunFolder(make_run(tmp_path / "run"))
    certificate = folder.read(Certificate)
    text = rendered(certificate, folder.read(Baselines))
    line = next(line for line in text.splitlines() if "This network" in line)
    asked, predicted, measured, low, high = (
        numbers.milliseconds(getattr(certificate, name))
        for name in (
            "asked_ms",
            "predicted_ms",
            "measured_ms",
            "measured_low_ms",
            "measured_high_ms",
        )
    )
    assert verdict_lines(certificate)[0].startswith("As seen here today: p50")
    assert not any("Next:" in text for text in verdict_lines(certificate)), "met needs no next step"
    for cell in (asked, predicted, measured, f"{low}–{high}", "38.1 %", "16.7 M"):
        assert cell in line.split() or cell in line
    assert "budget met" in text and "Uniform scaling" in text and "Random 2" in text
    early = rendered(replace(certificate, top1=None, met=False, largest=None, random=()), None)
    assert "budget NOT met" in early and "36.6 %" in early
    untrained = RunFolder(make_run(tmp_path / "untrained", retrained=False)).read(Certificate)
    text = rendered(untrained, None)
    assert "supernet" in text and "not retrained" in text and "21.4 %" in text


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.milliseconds(1.4923), "1.492"),
        (numbers.milliseconds(0.01234), "0.0123"),
        (numbers.milliseconds(123.456), "123.5"),
        (numbers.milliseconds(None), "–"),
        (numbers.count(6573120), "6.57 M"),
        (numbers.count(999_999), "1.00 M"),
        (numbers.count(842), "842"),
        (numbers.count(379_300_000), "379 M"),
        (numbers.size(1_234_567), "1.23 MB"),
        (numbers.size(12), "12 B"),
        (numbers.share(0.45123), "45.1 %"),
        (numbers.whole(12_035_328), "12,035,328"),
        (numbers.points(0.01234), "1.23"),
        (numbers.points(-0.1234), "\u221212.3"),
        (numbers.points(-0.00001), "0.00"),
        (numbers.value_text(True), "yes"),
        (numbers.value_text(0.1 + 0.2), "0.3"),
        (numbers.value_text({"a": [1, "b"]}), "a 1, b"),
        (numbers.value_text(list(range(13))), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … (13 in all)"),
    ],
)
def test_figures_carry_sensible_digits(shown: str, expected: str) -> None:
    assert shown == expected


def test_moving_average_keeps_a_constant_and_centres() -> None:
    assert moving_average([3.0] * 5, 3) == pytest.approx(np.full(5, 3.0))
    assert moving_average([0.0, 0.0, 3.0, 0.0, 0.0], 3) == pytest.approx([0, 1, 1, 1, 0])


def test_what_has_no_value_is_left_out_of_a_list() -> None:
    listed = cards.pairs({"max_macs": None, "bounds": {"max_macs": None}, "notes": (), "seed": 0})
    assert listed == '<dl class="pairs"><dt>seed</dt><dd>0</dd></dl>'
    assert cards.pairs({"notes": ()}) == ""
