"""The report's figures, joins and pictures, each by itself."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from nas.report import numbers
from nas.report.comparison import compare, record_of
from nas.report.network import SMALL_HEIGHT, gates_html, layer_latencies_ms, option_colour
from nas.report.plots import interval_half_width, moving_average
from nas.report.terminal import terminal_table
from nas.runs.reader import Gates, read_run
from nas.search_space.named import get_space
from tests.support.report_run import CHOSEN, INTERCEPT_MS, make_run, predicted_ms


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests only read it."""
    return make_run(tmp_path_factory.mktemp("runs") / "finished")


def test_latency_parts_add_up_to_the_prediction(finished: Path) -> None:
    architecture = get_space("tiny").decode(CHOSEN)
    parts = layer_latencies_ms(architecture, read_run(finished).table)
    assert None not in parts
    total = sum(part for part in parts if part is not None)
    assert total + INTERCEPT_MS == pytest.approx(predicted_ms(architecture), rel=1e-12)


def test_latency_of_a_layer_without_a_row_is_unknown(finished: Path) -> None:
    architecture = get_space("tiny").decode(CHOSEN)
    table = record_of({"rows": {}}, "an empty table")
    parts = layer_latencies_ms(architecture, table)
    assert parts[0] is None and parts.count(0.0) > 0
    assert set(layer_latencies_ms(architecture, None)) == {None}


def test_gate_areas_are_stacked_to_the_top() -> None:
    options = ("ir_r1_k3_s1_e3_c8", "ir_r1_k7_s1_e6_c8", "skip")
    records = (((0.5, 0.25, 0.25),), ((0.1, 0.7, 0.2),))
    page = gates_html(Gates(("stage1_block2",), (options,), (0.0, 10.0), records))
    areas = re.findall(r'<polygon fill="([^"]+)" points="([^"]+)"', page)
    assert [colour for colour, _ in areas] == [option_colour(option) for option in options]
    assert areas[0][1].split()[0] == f"0.0,{SMALL_HEIGHT * 0.5:.1f}"
    assert areas[-1][1].split()[:2] == ["0.0,0.0", "160.0,0.0"]
    assert "<b>k7 e6</b> 70 %" in page
    assert len({option_colour(option) for option in options}) == 3


def test_comparison_joins_certificate_and_baselines() -> None:
    certificate = {"measured_ms": 2.0, "asked_ms": 2.0, "top1": None, "random": [{"params": 1}]}
    trained = {"role": "searched", "measured_ms": 2.1, "measured_low_ms": 2.05, "top1": 0.5}
    other = {"role": "random", "measured_ms": 2.02, "top1": 0.4}
    rows = compare(
        record_of(certificate, "c"), record_of({"networks": [other, trained, other]}, "b")
    )
    assert [row.label for row in rows] == ["This network", "Random 1", "Random 2"]
    assert (rows[0].measured_ms, rows[0].top1, rows[0].asked_ms) == (2.0, 0.5, 2.0)
    # The interval of another measurement must not stand beside this one.
    assert rows[0].measured_low_ms is None
    assert rows[1].top1 == 0.4 and rows[1].params is None
    alone = compare(record_of({**certificate, "uniform": {"macs": 5}}, "c"), None)
    assert [row.label for row in alone] == ["This network", "Uniform scaling", "Random"]
    assert alone[1].macs == 5


def rendered(certificate: dict[str, Any], baselines: dict[str, Any] | None) -> str:
    console = Console(file=io.StringIO(), width=110)
    console.print(terminal_table(certificate, baselines))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_terminal_table(finished: Path) -> None:
    certificate = json.loads((finished / "certificate.json").read_text())
    text = rendered(certificate, json.loads((finished / "baselines.json").read_text()))
    line = next(line for line in text.splitlines() if "This network" in line)
    for cell in ("1.250", "1.253", "1.263", "1.255–1.273", "38.1 %", "23.8 M"):
        assert cell in line.split() or cell in line
    assert "budget met" in text and "Uniform scaling" in text and "Random 2" in text
    certificate |= {"top1": None, "met": False, "largest": {}}
    early = rendered(certificate, None)
    assert "budget NOT met" in early and "21.4 %" in early
    assert "supernet" in early and "not retrained" in early


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


def test_interval_of_a_share() -> None:
    # 1.96 * sqrt(0.5 * 0.5 / 10000): https://en.wikipedia.org/wiki/Margin_of_error
    assert interval_half_width(0.5, 10_000) == pytest.approx(0.0098)
    assert interval_half_width(0.5, None) == 0.0
