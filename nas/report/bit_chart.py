"""Bits of each layer of a network as SVG: two bars a layer, and its shares of the costs below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from nas.report import cards
from nas.report.bit_widths import LayerBits
from nas.report.front_chart import Axis
from nas.report.plots import BLUE, ORANGE

WIDTH, LEFT, RIGHT, TOP = 860, 112, 16, 22
BARS = 150  # height of the longest bar
LINE = 16  # height of a line of text
BAR_WIDTH = 26.0
# Slots below this width hold no name of a layer; it stands upright there.
NAME_WIDTH = 52.0
UPRIGHT_HEIGHT = 70
LEAD = (
    "Bits of a number in each layer that multiplies, and its shares of what they cost: weight bits "
    "are those of kernels, BOPs the multiply-adds times both bits. Where a block has several "
    "formats, such as the float32 of squeeze-and-excitation, bars are means over its weights and "
    "over its multiply-adds."
)
STYLE = """
.bitchart{width:100%;height:auto;display:block;margin:4px 0 12px}
.bitchart .grid{stroke:#e6eaf0;stroke-width:1}
.bitchart text{font-size:12px;fill:#5f6f84}
.bitchart .count{font-size:11.5px;fill:#1b2a41}
@media(max-width:700px){.bitchart{width:760px}}
"""


def bit_legend() -> str:
    """What the colours mean."""
    return cards.legend({"bits of its weights": BLUE, "bits of what it reads": ORANGE})


def bit_chart(label: str, layers: Sequence[LayerBits]) -> str:
    """The picture; it can be scrolled where it does not fit.

    Args:
        label: What network it is, in a few words.
        layers: Of the network, one or more.
    """
    slot = (WIDTH - LEFT - RIGHT) / len(layers)
    most = max(max(one.weights_bits, one.reads_bits) for one in layers)
    names = LINE * 2 if slot >= NAME_WIDTH else UPRIGHT_HEIGHT
    bottom = TOP + BARS
    parts = [_grid(most, bottom)]
    parts += [_layer(one, LEFT + (n + 0.5) * slot, slot, most) for n, one in enumerate(layers)]
    rows = bottom + 8 + names
    parts += _shares("% of weight bits", layers, lambda one: one.weight_bits, slot, rows + LINE)
    parts += _shares("% of BOPs", layers, lambda one: one.bops, slot, rows + 2 * LINE)
    told = "; ".join(_words(one, layers) for one in layers)
    height = rows + 2 * LINE + 10
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(label)}">'
        f'<svg class="bitchart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(label)}. {escape(told)}">{"".join(parts)}</svg></div>'
    )


def _grid(most: float, bottom: int) -> str:
    axis = Axis(0.0, most, bottom, TOP)
    # Bits are whole numbers.
    steps = sorted({round(value) for value in axis.ticks(4)})
    return "".join(
        f'<line class="grid" x1="{LEFT}" y1="{axis.place(v):.1f}" x2="{WIDTH - RIGHT}" '
        f'y2="{axis.place(v):.1f}"/><text x="{LEFT - 8}" y="{axis.place(v) + 4:.1f}" '
        f'text-anchor="end">{v}{" bits" if v == steps[-1] else ""}</text>'
        for v in steps
    )


def _layer(one: LayerBits, middle: float, slot: float, most: float) -> str:
    """Both bars of a layer with its name."""
    width = min(BAR_WIDTH, 0.42 * slot)
    bottom = TOP + BARS
    parts = []
    for x, bits, colour in (
        (middle - width, one.weights_bits, BLUE),
        (middle, one.reads_bits, ORANGE),
    ):
        height = BARS * bits / most
        parts.append(
            f'<rect x="{x + 0.5:.1f}" y="{bottom - height:.1f}" width="{width - 1:.1f}" '
            f'height="{height:.1f}" fill="{colour}"/>'
            f'<text class="count" x="{x + width / 2:.1f}" y="{bottom - height - 4:.1f}" '
            f'text-anchor="middle">{_bits_text(bits)}</text>'
        )
    title = escape(f"{one.text}: {_formats(one)}")
    return f"<g><title>{title}</title>{''.join(parts)}{_name(one, middle, slot)}</g>"


def _bits_text(bits: float) -> str:
    return f"{bits:.1f}".removesuffix(".0")


def _formats(one: LayerBits) -> str:
    return f"weights {one.weights}, reads {one.reads}"


def _name(one: LayerBits, middle: float, slot: float) -> str:
    bottom = TOP + BARS
    if slot < NAME_WIDTH:
        place = f"translate({middle + 4:.1f} {bottom + 8}) rotate(-90)"
        return f'<text transform="{place}" text-anchor="end">{escape(one.name)}</text>'
    words = one.name.split(" ")
    lines = [words[0], " ".join(words[1:])]
    return "".join(
        f'<text x="{middle:.1f}" y="{bottom + 4 + LINE * (n + 1)}" text-anchor="middle">'
        f"{escape(line)}</text>"
        for n, line in enumerate(lines)
        if line
    )


def _shares(
    name: str,
    layers: Sequence[LayerBits],
    value: Callable[[LayerBits], int],
    slot: float,
    y: float,
) -> list[str]:
    """A row of texts: each layer's share of a sum."""
    total = sum(map(value, layers))
    parts = [f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{name}</text>']
    parts += [
        f'<text class="count" x="{LEFT + (n + 0.5) * slot:.1f}" y="{y}" text-anchor="middle">'
        f"{_percent(value(one) / total)}</text>"
        for n, one in enumerate(layers)
    ]
    return parts


def _percent(share: float) -> str:
    """A share in few characters: 0.004 -> '0.4', 0.25 -> '25'."""
    if 0 < share < 0.0005:
        return escape("<0.1")
    return f"{100 * share:.1f}" if 0 < share < 0.0095 else f"{100 * share:.0f}"


def _words(one: LayerBits, layers: Sequence[LayerBits]) -> str:
    """A layer in words, for those who do not see the picture."""
    total = sum(layer.bops for layer in layers)
    share = f"{_percent(one.bops / total)} % of the bit operations"
    return f"{one.name}: {_formats(one)}, {share}"
