"""Whether milliseconds can be measured for the networks of a space.

What layers with number formats take depends on the layers around them, so that no row of a table
has them (decision 0063). ONNX Runtime only emulates most of them anyhow (decision 0059).
"""

from __future__ import annotations

from nas.architecture import text as arch_text
from nas.errors import SpaceError
from nas.search_space.space import Space


def has_table(space: Space) -> bool:
    """Whether a space can have a latency table.

    Args:
        space: Whose layers may have number formats.
    """
    return not space.has_formats


def check_measurable(space: Space) -> None:
    """Refuses milliseconds of a space that has none.

    Args:
        space: That a table is asked for.

    Raises:
        SpaceError: It has layers with number formats.
    """
    if not has_table(space):
        raise SpaceError(
            "a space in float32 for milliseconds: what layers with number formats take depends on "
            "those around them, and no table has it",
            f"space {space.name}, such as {arch_text.to_text(space.largest())}",
            "ask by --target_bops or --target_weight_bits (by trials: --objectives bops or "
            "weight_bits), or leave --bits out",
        )
