"""A space of one's own: `nas.py --space examples/my_space.py`, with blocks of different widths.

`nas.py --blocks examples/wide_block.py --space examples/my_space.py --lambda 0.1 --smoke`
"""

from __future__ import annotations

from nas.architecture.spec import LAYER_TYPES, Conv, Dense, GlobalAveragePool, Skip
from nas.search_space.space import OneOf, Space

WideBlock = LAYER_TYPES["wide"]  # of examples/wide_block.py


def space(image_size: int, num_classes: int) -> Space:
    """Two blocks whose width is searched; the second may be left out.

    Args:
        image_size: Height and width of the images in pixels.
        num_classes: Class scores.
    """
    widths = (16, 32, 48)
    first = tuple(WideBlock(width=w, stride=2, channels=16) for w in widths)
    second = tuple(WideBlock(width=w, stride=1, channels=16) for w in widths)
    layers = (
        Conv(3, 2, 8),
        OneOf("first", first),
        OneOf("second", (*second, Skip())),
        GlobalAveragePool(),
        Dense(num_classes),
    )
    return Space("wide", image_size, layers)
