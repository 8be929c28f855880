"""Names and figures on terminals of any width."""

from __future__ import annotations

import io

import pytest

from latency.cli.text_view import print_rows
from latency.terminal import Terminal

HEADS = ("p10 ms", "95 % interval", "seen p50", "seen p90", "seen p99")
FIGURES = ("10.9950", "10.9900 to 11.0050", "11.2500", "11.5000", "12.0000")
LONG = "checkpoints/2026-11/mobilenet_v3_{}_minimal_100_224.onnx"


def printed(names: list[str], width: int) -> str:
    stream = io.StringIO()
    rows = [(name, *FIGURES) for name in names]
    print_rows(Terminal(file=stream, width=width), "model", HEADS, rows)
    assert all(len(line) <= width for line in stream.getvalue().splitlines())
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_names_that_differ_in_their_middle_are_whole_at_every_width(width: int) -> None:
    names = [LONG.format(size) for size in ("small", "large")]
    text = printed(names, width)
    whole = "".join(text.split())
    assert all(whole.count(name) == 1 for name in names)
    # No figure is lost either, and each stands beside its head.
    assert all(whole.count("".join(figure.split())) == 2 for figure in FIGURES)
    assert all("".join(head.split()) in whole for head in HEADS)


def test_short_names_stand_in_a_table() -> None:
    text = printed(["net.onnx", "a/net.onnx"], 80)
    assert text.count("p10 ms") == 1
    assert len([line for line in text.splitlines() if "net.onnx" in line]) == 2
    assert "10.9950" in next(line for line in text.splitlines() if "a/net.onnx" in line)


def test_at_80_columns_a_long_name_has_a_line_of_its_own() -> None:
    name = LONG.format("small")
    lines = printed([name, "net.onnx"], 80).splitlines()
    assert name in lines and "net.onnx" in lines
    after = lines[lines.index(name) + 1]
    assert after.startswith("  p10 ms 10.9950, 95 % interval 10.9900 to 11.0050, ")


def test_models_of_one_name_in_two_folders_are_told_apart_at_40_columns() -> None:
    text = printed(["a/net.onnx", "b/net.onnx"], 40)
    assert "a/net.onnx" in text and "b/net.onnx" in text and "11.2500" in text


@pytest.mark.parametrize("width", [40, 80])
def test_a_name_of_brackets_and_line_ends_stays_one_name(width: int) -> None:
    text = printed(["net[v1]\n[red].onnx"], width)
    assert r"net[v1]\n[red].onnx" in text


def test_no_rows_are_no_error() -> None:
    assert "model" in printed([], 80)
