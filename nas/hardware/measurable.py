"""Whether milliseconds can be measured for the networks of a space.

ONNX Runtime only emulates numbers of few bits, so that files of such networks are not timed
(decision 0059), and no row of a table has them.
"""

from __future__ import annotations

from nas.architecture.lowering import lower_layer
from nas.architecture.operations import has_formats
from nas.architecture.text import layer_to_text
from nas.errors import SpaceError
from nas.search_space.space import OneOf, Space


def unmeasured_layer(space: Space) -> str | None:
    """The first layer of a space that no table has a row for, as text; None where there is none.

    Args:
        space: Whose layers may have number formats.
    """
    for layer, shape in zip(space.layers, space.input_shapes(), strict=True):
        for option in layer.options if isinstance(layer, OneOf) else (layer,):
            if has_formats(lower_layer(option, shape).ops):
                return layer_to_text(option)
    return None


def has_table(space: Space) -> bool:
    """Whether a space can have a latency table.

    Args:
        space: Any.
    """
    return unmeasured_layer(space) is None


def check_measurable(space: Space) -> None:
    """Refuses milliseconds of a space that has none.

    Args:
        space: That a table is asked for.

    Raises:
        SpaceError: It has layers with number formats.
    """
    layer = unmeasured_layer(space)
    if layer is not None:
        raise SpaceError(
            "a space in float32 for milliseconds, as ONNX Runtime only emulates number formats",
            f"{layer} in space {space.name}",
            "ask for bit operations or weight bits in place of milliseconds, or leave --bits out",
        )
