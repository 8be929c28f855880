"""The network as a row of blocks, each row of the latency table with its milliseconds; HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, islice

from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.architecture.lowering import LoweredLayer, lower_architecture
from nas.architecture.spec import (
    Architecture,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Layer,
    MBConv,
    ResidualBlock,
    SeparableConv,
    Skip,
)
from nas.hardware.rows import architecture_rows, row_key

# Kernel size -> colour; blue, orange and violet stay apart for colour-blind readers.
KERNEL_COLOURS = {1: "#64748b", 3: "#2f7fb8", 5: "#e08a1e", 7: "#7d4fa6"}
OTHER_COLOUR = "#64748b"
HEAD = "head"
_CONVOLUTIONS = {Conv: "conv", SeparableConv: "sep", DepthwiseConv: "dw", ResidualBlock: "res"}


@dataclass(frozen=True)
class RowPart:
    """Layers of a network that are one row of the table.

    Args:
        layers: One, or several for the head.
        latency_ms: Their part of the predicted milliseconds, 0 for a skipped block; None where the
            table has no such row.
    """

    layers: tuple[LoweredLayer, ...]
    latency_ms: float | None

    @property
    def place(self) -> str:
        """The size of its map, or the head."""
        shape = self.layers[0].output_shape
        is_head = len(self.layers) > 1 or len(shape) != 3
        return HEAD if is_head else f"{shape[0]} × {shape[1]} px"


def row_parts(architecture: Architecture, table: LatencyTable | None) -> tuple[RowPart, ...]:
    """A network cut into rows of the table.

    The milliseconds of all rows and the calibration's constant, which is the cost of a run, add up
    to the prediction.

    Args:
        architecture: The network.
        table: Its milliseconds; None where they are not known.
    """
    slope = table.affine[0] if table else 1.0
    rows = iter(architecture_rows(architecture))
    lowered = iter(lower_architecture(architecture))
    parts = []
    for first in lowered:
        if isinstance(first.layer, Skip):
            parts.append(RowPart((first,), 0.0))
            continue
        layers, shape = next(rows)
        key = row_key(layers, shape)
        is_known = table is not None and key in table.rows
        parts.append(
            RowPart(
                (first, *islice(lowered, len(layers) - 1)),
                slope * table.effective_row_ms(key) if table and is_known else None,
            )
        )
    return tuple(parts)


def network_html(image_size: int, parts: Sequence[RowPart], total_ms: float | None) -> str:
    """The network as blocks, grouped by the size of their maps.

    Args:
        image_size: In pixels.
        parts: The network, row by row.
        total_ms: Predicted for the whole network; shares are left out without it.
    """
    largest_ms = max((part.latency_ms or 0.0 for part in parts), default=0.0)
    groups = []
    for place, members in groupby(parts, key=lambda part: part.place):
        blocks = "".join(_part(part, largest_ms, total_ms) for part in members)
        title = f'<div class="where">{escape(place)}</div>'
        groups.append(f'<div class="stage">{title}<div class="blocks">{blocks}</div></div>')
    start = (
        '<div class="stage"><div class="where">image</div><div class="blocks"><div class="block">'
        f'<div class="box image">{image_size} px</div><div class="width">RGB</div>'
        '<div class="time"></div></div></div></div>'
    )
    return f'<div class="network">{start}{"".join(groups)}</div>'


def _part(part: RowPart, largest_ms: float, total_ms: float | None) -> str:
    """The blocks of a row, and below all of them its time."""
    shown = [layer for layer in part.layers if not isinstance(layer.layer, Dropout)]
    if not shown:
        return ""
    time = f'<div class="time">{_time(part.latency_ms, largest_ms, total_ms)}</div>'
    if len(shown) == 1:
        return _block(shown[0], time)
    blocks = "".join(_block(layer, "") for layer in shown)
    return f'<div class="unit"><div class="blocks">{blocks}</div>{time}</div>'


def _block(layer: LoweredLayer, time: str) -> str:
    record = layer.layer
    title = escape(arch_text.layer_to_text(record))
    if isinstance(record, Skip):
        return (
            f'<div class="block" title="{title}"><div class="box hollow">skip</div>'
            '<div class="width">&nbsp;</div><div class="time"></div></div>'
        )
    height, width = _box_size(record, layer.output_shape[-1])
    text = escape(box_text(record)).replace(" ", "<br>")
    box = (
        f'<div class="box" style="height:{height}px;width:{width}px;'
        f'background:{kernel_colour(record)}">{text}</div>'
    )
    unit = "out" if isinstance(record, Dense) else "ch"
    channels = f'<div class="width">{layer.output_shape[-1]} {unit}</div>'
    return f'<div class="block" title="{title}">{box}{channels}{time}</div>'


def _box_size(record: Layer, channels: int) -> tuple[int, int]:
    """Height by expansion, width by channels (logarithmic), in CSS pixels."""
    expansion = record.expansion if isinstance(record, MBConv) else 2
    height = 30 + 11 * min(expansion, 8)
    width = round(32 + 5 * min(max(math.log2(channels) - 3, 0), 5))
    return height, width


def kernel_colour(record: Layer) -> str:
    """Colour of a block.

    Args:
        record: The block.
    """
    if isinstance(record, MBConv):
        return KERNEL_COLOURS.get(record.kernel, OTHER_COLOUR)
    return OTHER_COLOUR


def box_text(record: Layer) -> str:
    """What stands in a block, in a word or two.

    Args:
        record: The block.
    """
    match record:
        case MBConv():
            extra = " se" if record.se_ratio else ""
            return f"k{record.kernel} e{record.expansion}{extra}"
        case Conv() | SeparableConv() | DepthwiseConv() | ResidualBlock():
            return f"{_CONVOLUTIONS[type(record)]} {record.kernel}×{record.kernel}"
        case Dense():
            return "fc"
    return {"gap": "mean", "ap": "mean", "mp": "max"}.get(record.TOKEN, record.TOKEN)


def _time(latency_ms: float | None, largest_ms: float, total_ms: float | None) -> str:
    if not latency_ms:
        return ""
    length = 100 * latency_ms / largest_ms
    text = f"{100 * latency_ms / total_ms:.1f} %" if total_ms else f"{latency_ms:.3f}"
    return f'<i><b style="width:{length:.0f}%"></b></i>{text}'
