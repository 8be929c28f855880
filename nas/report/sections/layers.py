"""Every layer in figures."""

from __future__ import annotations

from html import escape

from nas.cost.counts import ArchitectureCost, LayerCost, architecture_cost
from nas.report import cards, numbers
from nas.report.bit_columns import HEADINGS
from nas.report.facts import RunFacts

COLUMNS = ("", "layer", "type", "output", "params", "MACs")


def layers(run: RunFacts) -> str:
    """Every layer with its type, output, parameters and MACs, and bits where it has formats."""
    if run.records.architecture is None:
        return ""
    cost = architecture_cost(run.records.architecture)
    rows = "".join(
        f"<tr><td>{layer.index}</td><td><code>{escape(layer.name)}</code></td>"
        f"<td>{escape(layer.type)}</td><td>{' × '.join(map(str, layer.output_shape))}</td>"
        f"<td>{numbers.whole(layer.params)}</td><td>{numbers.whole(layer.macs)}</td>"
        f"{_bits(cost, layer)}</tr>"
        for layer in cost.layers
    )
    rows += (
        f'<tr class="total"><td></td><td>in total</td><td></td><td></td>'
        f"<td>{numbers.whole(cost.params)}</td><td>{numbers.whole(cost.macs)}</td>"
        f"{_bits(cost, cost)}</tr>"
    )
    columns = (*COLUMNS, *HEADINGS) if cost.has_formats else COLUMNS
    head = "".join(f"<th>{name}</th>" for name in columns)
    table = (
        f'<div class="scroll"><table class="layers"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
    return cards.card("Layer by layer", "", f"<details><summary>Show</summary>{table}</details>")


def _bits(cost: ArchitectureCost, row: LayerCost | ArchitectureCost) -> str:
    if not cost.has_formats:
        return ""
    return f"<td>{numbers.whole(row.weight_bits)}</td><td>{numbers.whole(row.bops)}</td>"
