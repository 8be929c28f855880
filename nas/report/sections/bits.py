"""Bits of every layer, of a network with formats of numbers."""

from __future__ import annotations

from nas.report import cards
from nas.report.bit_chart import LEAD, bit_chart, bit_legend
from nas.report.bit_widths import bits_by_layer, has_formats
from nas.report.facts import RunFacts


def bits(run: RunFacts) -> str:
    """The card; empty of a network of float32."""
    architecture = run.records.architecture
    layers = () if architecture is None else bits_by_layer(architecture)
    if not has_formats(layers):
        return ""
    chart = bit_chart("Bits of each layer", layers)
    return cards.card("Bits by layer", LEAD, bit_legend(), chart)
