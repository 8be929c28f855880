"""The function that turns one record into primitive operations; each type of record adds its own.

`nas.architecture.lowering` has all of them: import `lower` from there.
"""

from __future__ import annotations

import functools

from nas.architecture import spec
from nas.architecture.operations import Formats, Op, need
from nas.architecture.shapes import Shape
from nas.errors import ArchitectureError


@functools.singledispatch
def lower(layer: spec.Layer, prefix: str, shape: Shape) -> tuple[Op, ...]:
    """One record -> operations; a function for each type of record.

    Args:
        layer: The record.
        prefix: What the operations' names begin with.
        shape: Of the layer's input.

    Raises:
        ArchitectureError: The record's type is not registered, or does not fit the shape.
    """
    known = sorted(t.__name__ for t in lower.registry if t is not object)
    raise ArchitectureError(
        f"a layer that can be lowered, one of {', '.join(known)}",
        f"{type(layer).__name__} as layer {prefix} on an input of {shape}",
        "register a function with `nas.architecture.lowering.lower.register`",
    )


def channels_of(shape: Shape, layer: spec.Layer) -> int:
    """Channels of a map; refuses a layer of maps that stands behind them.

    Args:
        shape: Of the layer's input.
        layer: The record.

    Raises:
        ArchitectureError: The input is no map.
    """
    need(len(shape) == 3, f"a map before `{layer.TOKEN}`", shape, "move it before `gap` or `flat`")
    return shape[2]


def formats_of(
    layer: spec.Conv | spec.SeparableConv | spec.DepthwiseConv | spec.MBConv | spec.Dense,
) -> Formats:
    """The formats of a record, for an operation that is all of it or its last one.

    Args:
        layer: With its four formats.
    """
    return Formats(
        layer.weight_format, layer.activation_format, layer.bias_format, layer.norm_format
    )
