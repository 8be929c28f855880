"""The rows of a latency table that a network is the sum of, and their keys."""

from __future__ import annotations

from collections.abc import Sequence

from nas.architecture.lowering import lower_architecture
from nas.architecture.shapes import Shape
from nas.architecture.spec import Architecture, Conv, Flatten, GlobalAveragePool, Layer, Skip
from nas.architecture.text import layer_to_text


def row_key(layers: Sequence[Layer], input_shape: Shape) -> str:
    """Key of a row: the layers' text and the input shape, `ir_r1_k5_s2_e6_c24@32x32x16`."""
    return "+".join(layer_to_text(x) for x in layers) + "@" + "x".join(map(str, input_shape))


def architecture_rows(
    architecture: Architecture,
) -> tuple[tuple[tuple[Layer, ...], Shape], ...]:
    """A network cut into rows: (layers, input shape) each.

    The head, from the last convolution before the first vector to the class scores, is one
    row; every other layer is its own. A skipped block has no row.
    """
    lowered = lower_architecture(architecture)
    layers = architecture.layers
    to_vector = (i for i, x in enumerate(layers) if isinstance(x, GlobalAveragePool | Flatten))
    head = next(to_vector, len(layers))
    if 0 < head < len(layers) and isinstance(layers[head - 1], Conv):
        head -= 1
    rows: list[tuple[tuple[Layer, ...], Shape]] = [
        ((row.layer,), row.input_shape) for row in lowered[:head] if not isinstance(row.layer, Skip)
    ]
    if head < len(layers):
        rows.append((tuple(layers[head:]), lowered[head].input_shape))
    return tuple(rows)


def architecture_row_keys(architecture: Architecture) -> tuple[str, ...]:
    """Keys of the rows that a network is the sum of."""
    return tuple(row_key(layers, shape) for layers, shape in architecture_rows(architecture))
