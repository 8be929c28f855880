"""A small space for recordings of learning curves and for searches by trials beside them.

32 px, 1,764 networks of about 0.2 to 1.4 million multiply-adds: four blocks, of which two may be
left out. A network trains in seconds on one core.
"""

from __future__ import annotations

from nas.architecture.spec import Conv, Dense, GlobalAveragePool, Layer, MBConv, Skip
from nas.search_space.space import OneOf, Space

CHANNELS = (16, 32)


def space(image_size: int, num_classes: int) -> Space:
    """Two stages of a block that halves the maps and one that may be skipped.

    Args:
        image_size: Height and width of the images in pixels.
        num_classes: Class scores.
    """
    layers: list[Layer | OneOf] = [Conv(3, 2, 8)]
    for stage, channels in enumerate(CHANNELS, start=1):
        for block, stride in enumerate((2, 1), start=1):
            options: tuple[Layer, ...] = tuple(
                MBConv(kernel, stride, expansion, channels)
                for kernel in (3, 5)
                for expansion in (1, 3, 6)
            )
            if stride == 1:
                options = (*options, Skip())
            layers.append(OneOf(f"stage{stage}_block{block}", options))
    layers += [Conv(1, 1, 64), GlobalAveragePool(), Dense(num_classes)]
    return Space("trials", image_size, tuple(layers))
