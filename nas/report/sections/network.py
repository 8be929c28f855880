"""The blocks that were chosen, with each row's part of the latency."""

from __future__ import annotations

from html import escape

from nas.architecture.spec import MBConv
from nas.architecture.text import to_text
from nas.report import cards, numbers
from nas.report.blocks import KERNEL_COLOURS, OTHER_COLOUR, network_html, row_parts
from nas.report.facts import RunFacts

DRAWING = (
    "Colour is the kernel, height the expansion, width the channels; dashed blocks were left out. "
)


def network(run: RunFacts) -> str:
    """A picture of the network; the parts and the cost of a run add up to the prediction."""
    architecture = run.records.architecture
    if architecture is None:
        return ""
    parts = row_parts(architecture, run.records.table)
    certificate = run.records.certificate
    total_ms = certificate.predicted_ms if certificate else None
    kernels = sorted({x.kernel for x in architecture.layers if isinstance(x, MBConv)})
    colours = {f"kernel {k} × {k}": KERNEL_COLOURS.get(k, OTHER_COLOUR) for k in kernels}
    legend = cards.legend({**colours, "fixed layer": OTHER_COLOUR})
    known_ms = [part.latency_ms for part in parts if part.latency_ms is not None]
    lead = DRAWING + (_times(known_ms, len(parts) - len(known_ms), total_ms) if known_ms else "")
    text = to_text(architecture)
    return cards.card(
        "The network",
        lead,
        legend,
        network_html(architecture.image_size, parts, total_ms),
        f"<details><summary>As text</summary><pre>{escape(text)}</pre></details>",
    )


def _times(known_ms: list[float], unknown: int, total_ms: float | None) -> str:
    """What the figures below the blocks are, and what is missing in them."""
    if not total_ms:
        return "Below each row of the table stands its part of the time in ms."
    lead = "Below each row of the table stands its share of the predicted time"
    rest_ms = total_ms - sum(known_ms)
    if rest_ms > 0:
        others = " and of layers without a row" if unknown else ""
        lead += f"; the other {numbers.share(rest_ms / total_ms)} are the cost of a run{others}"
    return f"{lead}."
