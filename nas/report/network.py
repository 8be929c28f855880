"""The network as a row of blocks, and the gates as small areas over the search; plain HTML, SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import groupby

from nas.architecture import text as arch_text
from nas.architecture.lowering import LoweredLayer, lower_architecture
from nas.architecture.spec import (
    Architecture,
    Conv,
    Dense,
    Dropout,
    Layer,
    MBConv,
    SeparableConv,
    Skip,
)
from nas.errors import ArchitectureError
from nas.report import numbers
from nas.runs.reader import Gates
from nas.runs.strict_json import Record

# Kernel size -> colour; blue, orange and violet stay apart for colour-blind readers.
KERNEL_COLOURS = {1: "#64748b", 3: "#2f7fb8", 5: "#e08a1e", 7: "#7d4fa6"}
OTHER_COLOUR = "#64748b"
SKIP_COLOUR = "#e2e6ec"
# Small expansions are drawn in a lighter tint of their kernel's colour.
LIGHT_EXPANSION_BELOW = 5
TINT = 0.45
SMALL_WIDTH, SMALL_HEIGHT = 160, 72


def layer_latencies_ms(architecture: Architecture, table: Record | None) -> list[float | None]:
    """Each layer's part of the predicted latency in ms; None where the table has no row of it.

    The calibration's constant belongs to no layer: the parts sum to less than the prediction.

    Args:
        architecture: The network.
        table: As in table.json.
    """
    layers = lower_architecture(architecture)
    rows = table.child("rows") if table else None
    if table is None or rows is None:
        return [None] * len(layers)
    calibration = table.child("calibration")
    slope = (calibration.number("a") if calibration else None) or 1.0
    parts: list[float | None] = []
    for layer in layers:
        row = rows.child(row_key(layer))
        latency_ms = row.number("latency_ms") if row else None
        free = not layer.ops or isinstance(layer.layer, Dropout)
        parts.append(0.0 if free else None if latency_ms is None else slope * latency_ms)
    return parts


def row_key(layer: LoweredLayer) -> str:
    """Key of a layer's row in the table, `ir_r1_k5_s2_e6_c24@32x32x16`."""
    shape = "x".join(str(size) for size in layer.input_shape)
    return f"{arch_text.layer_to_text(layer.layer)}@{shape}"


def architecture_html(
    architecture: Architecture, latencies_ms: Sequence[float | None], total_ms: float | None
) -> str:
    """The network as blocks, grouped by the size of their maps.

    Args:
        architecture: The network.
        latencies_ms: Each layer's part of the latency, None where it is not known.
        total_ms: Of the whole network; shares are left out without it.
    """
    known = [value for value in latencies_ms if value is not None]
    largest_ms = max(known, default=0.0)
    layers = [
        (layer, value)
        for layer, value in zip(lower_architecture(architecture), latencies_ms, strict=True)
        if not isinstance(layer.layer, Dropout)
    ]
    groups = []
    for where, members in groupby(layers, key=lambda pair: _map_label(pair[0].output_shape)):
        blocks = "".join(_block(*pair, largest_ms, total_ms) for pair in members)
        title = f'<div class="where">{escape(where)}</div>'
        groups.append(f'<div class="stage">{title}<div class="blocks">{blocks}</div></div>')
    size = architecture.image_size
    start = (
        '<div class="stage"><div class="where">image</div><div class="blocks"><div class="block">'
        f'<div class="box image">{size} px</div><div class="width">RGB</div>'
        '<div class="time"></div></div></div></div>'
    )
    return f'<div class="network">{start}{"".join(groups)}</div>'


def _map_label(shape: Sequence[int]) -> str:
    return f"{shape[0]} × {shape[1]} px" if len(shape) == 3 else "head"


def _block(
    layer: LoweredLayer, latency_ms: float | None, largest_ms: float, total_ms: float | None
) -> str:
    record = layer.layer
    title = escape(arch_text.layer_to_text(record))
    if isinstance(record, Skip):
        return (
            f'<div class="block" title="{title}"><div class="box hollow">skip</div>'
            '<div class="width">&nbsp;</div><div class="time"></div></div>'
        )
    height, width = _box_size(record, layer.output_shape[-1])
    box = (
        f'<div class="box" style="height:{height}px;width:{width}px;'
        f'background:{_kernel_colour(record)}">{_box_html(record)}</div>'
    )
    unit = "out" if isinstance(record, Dense) else "ch"
    channels = f'<div class="width">{layer.output_shape[-1]} {unit}</div>'
    return f'<div class="block" title="{title}">{box}{channels}' + (
        f'<div class="time">{_time(latency_ms, largest_ms, total_ms)}</div></div>'
    )


def _box_size(record: Layer, channels: int) -> tuple[int, int]:
    """Height by expansion, width by channels (logarithmic), in CSS pixels."""
    expansion = record.expansion if isinstance(record, MBConv) else 2
    height = 30 + 11 * min(expansion, 8)
    width = round(32 + 5 * min(max(math.log2(channels) - 3, 0), 5))
    return height, width


def _kernel_colour(record: Layer) -> str:
    if isinstance(record, MBConv):
        return KERNEL_COLOURS.get(record.kernel, OTHER_COLOUR)
    return OTHER_COLOUR


def _box_text(record: Layer) -> str:
    match record:
        case MBConv():
            extra = " se" if record.se_ratio else ""
            return f"k{record.kernel} e{record.expansion}{extra}"
        case Conv() | SeparableConv():
            return (
                f"{'conv' if isinstance(record, Conv) else 'sep'} {record.kernel}×{record.kernel}"
            )
        case Dense():
            return "fc"
    return {"gap": "mean", "mp": "max", "flat": "flat"}.get(record.TOKEN, record.TOKEN)


def _box_html(record: Layer) -> str:
    return escape(_box_text(record)).replace(" ", "<br>")


def _time(latency_ms: float | None, largest_ms: float, total_ms: float | None) -> str:
    if not latency_ms:
        return ""
    length = 100 * latency_ms / largest_ms
    text = f"{100 * latency_ms / total_ms:.1f} %" if total_ms else f"{latency_ms:.3f}"
    return f'<i><b style="width:{length:.0f}%"></b></i>{text}'


def option_colour(token: str) -> str:
    """Colour of an option: its kernel's, lighter for a small expansion, grey for skip."""
    record = _option(token)
    if isinstance(record, Skip):
        return SKIP_COLOUR
    colour = OTHER_COLOUR if record is None else _kernel_colour(record)
    if isinstance(record, MBConv) and record.expansion < LIGHT_EXPANSION_BELOW:
        return _lighter(colour)
    return colour


def option_label(token: str) -> str:
    """'k5 e6', 'skip', or the token of a user's own block."""
    record = _option(token)
    if isinstance(record, Skip):
        return "skip"
    return _box_text(record) if isinstance(record, MBConv) else token


def _option(token: str) -> Layer | None:
    """The record of an option, or None for a block that is not registered here."""
    try:
        return arch_text.parse(f"in_s1 {token}").layers[0]
    except (ArchitectureError, IndexError):
        return None


def _lighter(colour: str) -> str:
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(value + TINT * (255 - value)):02x}" for value in parts)


def gates_html(gates: Gates) -> str:
    """One small picture a choice: how the probability of each option moved over the search."""
    cells = []
    for choice, tag in enumerate(gates.tags):
        last = gates.probabilities[-1][choice]
        best = max(range(len(last)), key=last.__getitem__)
        token = gates.options[choice][best]
        cells.append(
            f'<figure class="gate">{_areas(gates, choice)}<figcaption>'
            f"<span>{escape(tag.replace('_', ' '))}</span>"
            f"<b>{escape(option_label(token))}</b> {numbers.share(last[best], 0)}"
            "</figcaption></figure>"
        )
    return f'{_legend(gates)}<div class="gates">{"".join(cells)}</div>'


def _areas(gates: Gates, choice: int) -> str:
    """Stacked areas as SVG polygons; a single record becomes bands over the whole width."""
    steps = gates.steps if len(gates.steps) > 1 else (0.0, 1.0)
    records = [record[choice] for record in gates.probabilities]
    if len(records) == 1:
        records *= 2
    span = (steps[-1] - steps[0]) or 1.0
    xs = [SMALL_WIDTH * (step - steps[0]) / span for step in steps]
    floor = [0.0] * len(records)
    shapes = []
    for option, token in enumerate(gates.options[choice]):
        top = [low + record[option] for low, record in zip(floor, records, strict=True)]
        upper = [_point(x, y) for x, y in zip(xs, top, strict=True)]
        lower = [_point(x, y) for x, y in zip(xs, floor, strict=True)]
        shapes.append(
            f'<polygon fill="{option_colour(token)}" points="{" ".join(upper + lower[::-1])}"/>'
        )
        floor = top
    return (
        f'<svg viewBox="0 0 {SMALL_WIDTH} {SMALL_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="gate probabilities of {escape(gates.tags[choice])}">{"".join(shapes)}</svg>'
    )


def _point(x: float, probability: float) -> str:
    return f"{x:.1f},{SMALL_HEIGHT * (1 - min(probability, 1.0)):.1f}"


def _legend(gates: Gates) -> str:
    seen = {option_label(t): option_colour(t) for options in gates.options for t in options}
    return legend_html(seen)


def legend_html(entries: dict[str, str]) -> str:
    """Labels with their colours."""
    items = "".join(
        f'<li><i style="background:{colour}"></i>{escape(label)}</li>'
        for label, colour in entries.items()
    )
    return f'<ul class="legend">{items}</ul>'
