"""Bits of a network on its page, and of trials on theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nas.architecture import text as arch_text
from nas.architecture.references.named import reference
from nas.architecture.spec import Architecture
from nas.cost.counts import architecture_cost
from nas.report.bit_chart import bit_chart
from nas.report.bit_widths import (
    bits_by_layer,
    bits_of_text,
    has_formats,
    mean_bits,
    widths_text,
)
from nas.report.sections.bits import bits
from nas.report.trial_page.beside import beside
from nas.report.trial_page.bits import accuracy_against_bits, layer_bits
from nas.report.trial_page.every import every
from nas.report.trial_page.facts import TrialFacts, read_facts
from nas.report.trial_page.page import trials_html
from nas.search_space.knob_spaces.cnv import CNV_SMALL
from nas.search_space.knob_spaces.trigger import TRIGGER
from tests.report.test_bit_columns import facts_of
from tests.support.made_trials import made_search

MIXED = (
    "in_s16 cn_k3_s2_c8_wqb8_aqf8.1 ir_r1_k3_s1_e3_c8_se0.25_wqb4_aqb8 ir_r1_k3_s1_e3_c8_wqb2_aqb4 "
    "gap fc_c5"
)


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> TrialFacts:
    """A made-up search of quantised networks; tests only read it."""
    path = tmp_path_factory.mktemp("runs") / "made"
    return read_facts(made_search(path, knob_space=CNV_SMALL, objectives="top1,bops"))


def rows_of(html: str) -> dict[str, list[ElementTree.Element]]:
    table = ElementTree.fromstring(html).find(".//table")
    assert table is not None
    return {str(row.findtext("th")): row.findall("td") for row in table.findall("tbody/tr")}


def texts(cells: list[ElementTree.Element]) -> list[str]:
    return ["".join(cell.itertext()) for cell in cells]


# Squeeze-and-excitation in blocks with formats, and a block with two formats.
GATED, TWO = (
    arch_text.parse(text)
    for text in (
        MIXED,
        "in_s16 res[cn_r1_k3_s1_c3_wqb1_aqb8 cn_r1_k1_s1_c3_wqb8_aqb2] gap fc_c5_wqb4_aqb4",
    )
)


@pytest.mark.parametrize(
    "network", [*map(reference, ("cnv_w1a1", "cnv_w2a2", "trigger")), GATED, TWO]
)
def test_layers_add_up_to_the_counts_of_the_network(network: Architecture) -> None:
    layers, cost = bits_by_layer(network), architecture_cost(network)
    assert sum(one.weight_bits for one in layers) == cost.weight_bits
    assert sum(one.bops for one in layers) == cost.bops
    assert has_formats(layers) == cost.has_formats


def test_a_block_has_the_formats_of_all_that_multiplies_in_it() -> None:
    layers = bits_of_text(MIXED)
    formats = [(one.weights, one.reads) for one in layers]
    assert formats == [
        ("b8", "f8.1"),
        ("b4 and float32", "b8 and float32"),
        ("b2", "b4"),
        ("float32", "float32"),
    ]
    assert widths_text(layers) == ("2 to 32", "4 to 32")
    assert widths_text(bits_of_text(arch_text.to_text(reference("cnv_w1a2")))) == ("1", "2")
    # 8 bits for 216 numbers, 4 and 2 for 600 each (8 x 24 and 24 x 8 pointwise, 216 depthwise),
    # and 32 for squeeze-and-excitation (24 x 8 and 8 x 24).
    bits_in_all = 8 * 216 + 4 * 600 + 32 * 384 + 2 * 600
    assert mean_bits(layers[:3]) == bits_in_all / (216 + 600 + 384 + 600)
    assert layers[1].weights_bits == (4 * 600 + 32 * 384) / 984


def test_a_block_of_several_formats_has_all_of_them() -> None:
    block, head = bits_by_layer(TWO)
    assert (block.weights, block.reads) == ("b1 and b8", "b8 and b2")
    assert (block.weights_span, block.reads_span) == ((1, 8), (2, 8))
    # 3 x 3 x 3 x 3 numbers of one bit and 3 x 3 of eight; as many multiply-adds a pixel.
    assert block.weights_bits == (81 * 1 + 9 * 8) / 90
    assert block.reads_bits == (81 * 8 + 9 * 2) / 90
    assert widths_text((block, head)) == ("1 to 8", "4")
    assert widths_text((block,)) == ("1 to 8", "2 to 8")
    chart = ElementTree.fromstring(bit_chart("a block", (block, head)))
    counts = [text.text for text in chart.findall(".//g/text")]
    assert counts[:2] == ["1.7", "7.4"]
    assert "weights b1 and b8, reads b8 and b2" in str(chart.findtext(".//g/title"))


def test_blocks_that_are_not_known_here_have_no_bits() -> None:
    assert bits_of_text("in_s16 ghost_c8 gap fc_c5") == ()
    assert not has_formats(())


def test_a_quantised_network_has_a_picture_of_its_layers() -> None:
    html = bits(facts_of(reference("cnv_w1a2")))
    (chart,) = ElementTree.fromstring(html).findall(".//svg")
    bars = chart.findall(".//rect")
    counts = [text.text for group in chart.findall("g") for text in group.findall("text")]
    assert len(bars) == 2 * 9
    assert counts[:4] == ["1", "8", "conv", "3×3"] and counts[4:6] == ["1", "2"]
    heights = [float(str(bar.get("height"))) for bar in bars]
    # Bars are as high as their bits, rounded to a tenth of a pixel; 8 bits are the most.
    wanted = [heights[1] * width / 8 for width in (1, 8, 1, 2)]
    assert heights[:4] == pytest.approx(wanted, abs=0.051)
    assert "conv 3×3: weights b1, reads f8.1" in str(chart.get("aria-label"))
    assert bits(facts_of(reference("trigger"))) == ""


def test_many_layers_have_upright_names_and_a_name_is_no_markup() -> None:
    (first, *_) = bits_of_text(MIXED)
    odd = replace(first, name="<b>k3", text="<script>")
    chart = ElementTree.fromstring(bit_chart("of <b>", [odd] * 24)).find(".//svg")
    assert chart is not None and chart.find(".//b") is None and chart.find(".//script") is None
    names = [text for text in chart.iter("text") if text.text == "<b>k3"]
    assert len(names) == 24 and all("rotate" in str(one.get("transform")) for one in names)


def test_original_stands_beside_the_best_as_the_documents_have_it(facts: TrialFacts) -> None:
    rows = rows_of(beside(facts))
    best = [one for one in facts.trials if one.last is not None][:7]
    values = [one.trial.configuration for one in best]
    widths = rows["bits of weights / of what is read"]
    assert texts(widths) == [
        "1 / 1",
        *(f"{v['weight_bit_width']} / {v['act_bit_width']}" for v in values),
    ]
    # Nothing has fewer bits than one.
    assert not any(cell.findall("b") for cell in widths)
    for name in ("weight bits", "bops", "bytes"):
        known = facts.record.original.known[name.replace(" ", "_")]
        for cell, one in zip(rows[name][1:], best, strict=True):
            value = one.trial.known[name.replace(" ", "_")]
            assert cell.findtext("b" if value < known else ".") is not None
            assert float(str(cell.findtext("small")).split()[0]) == pytest.approx(
                value / known, rel=0.5, abs=0.005
            )
    assert texts(rows["pool at"])[0] == "conv1, conv3"
    assert texts(rows["channels, conv0 to conv5"])[0] == "16 16 32 32 64 64"
    # A smaller kernel makes a smaller network; a lower rate does not.
    kernels = [
        (cell.find("b") is not None, int("".join(cell.itertext()))) for cell in rows["kernel"]
    ]
    assert all(is_bold == (kernel < 3) for is_bold, kernel in kernels)
    assert not any(cell.findall("b") for cell in rows["learning rate"])


def test_formats_of_fewer_bits_than_in_the_original_are_bold(tmp_path: Path) -> None:
    path = made_search(
        tmp_path / "made", knob_space=TRIGGER, objectives="top1,weight_bits", max_trials=4
    )
    found = read_facts(path)
    rows = rows_of(beside(found))
    original, *others = rows["weight format"]
    assert original.text == "float32" and all(cell.findtext("b") for cell in others)
    # No word of another kind is smaller than another one.
    assert not any(cell.findall("b") for cell in rows["regularisation"])


def test_accuracy_stands_against_bits_in_the_colour_of_the_bit_width(facts: TrialFacts) -> None:
    root = ElementTree.fromstring(accuracy_against_bits(facts))
    charts = root.findall(".//svg[@class='chart']")
    labels = [str(chart.get("aria-label")).partition(".")[0] for chart in charts]
    assert labels == ["top1 against weight_bits", "top1 against bops"]
    trained = [one for one in facts.trials if one.last is not None]
    widths = {one.number: one.trial.configuration["weight_bit_width"] for one in trained}
    for chart in charts:
        marks = [group for group in chart.findall("g") if group.find("circle") is not None]
        assert len(marks) == len(trained)
        colours: dict[str, set[str]] = {}
        for mark in marks:
            number = int(str(mark.findtext("title")).split()[1].rstrip(","))
            shown = str(mark.findtext("text"))
            assert shown == str(widths[number])
            circle = mark.find("circle")
            assert circle is not None
            colours.setdefault(shown, set()).add(str(circle.get("fill")))
            is_ringed = "front" in str(circle.get("class"))
            assert is_ringed == (facts.by_number[number].standing == "front")
        found = [colour for one in colours.values() for colour in one]
        assert len(found) == len(set(found)) == len(colours)
        assert chart.findtext("text[@class='name']") == "the original"
    told = [item.text or "" for item in root.findall(".//ul[@class='legend']/li")]
    assert len(told) == len(set(widths.values()))


def test_layers_of_the_original_and_of_the_best_are_drawn(facts: TrialFacts) -> None:
    root = ElementTree.fromstring(layer_bits(facts))
    titles = [title.text for title in root.findall("h3")]
    front = facts.record.front[0]
    assert titles[:2] == [
        "The original, cnv_w1a1 with a quarter of its widths",
        f"Trial {front}, on the front",
    ]
    assert len(root.findall(".//svg[@class='bitchart']")) == len(titles) == 3


def test_float32_networks_have_no_bits_on_the_page(tmp_path: Path) -> None:
    found = read_facts(made_search(tmp_path / "made", max_trials=4))
    assert accuracy_against_bits(found) == layer_bits(found) == ""
    assert "weight bits" not in beside(found) + every(found)
    # What was asked for is shown.
    asked = read_facts(made_search(tmp_path / "other", max_trials=4, objectives="top1,bops"))
    assert "bops" in rows_of(beside(asked)) and "weight bits" not in rows_of(beside(asked))


def test_page_of_blocks_that_are_not_known_here_says_so(facts: TrialFacts) -> None:
    record = facts.record
    first = record.front[0]
    trials = [
        replace(one, network="in_s32 <b>_c8 gap fc_c10") if one.number == first else one
        for one in record.trials
    ]
    odd = replace(facts, record=replace(record, trials=tuple(trials)))
    page = trials_html(odd)
    assert "Of 1 trial the blocks are not known here" in page and "<b>_c8" not in page
    assert texts(rows_of(beside(odd))["bits of weights / of what is read"])[1] == "–"
