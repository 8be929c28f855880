"""Published networks for other image sizes: strides of small images, pools of the whole map."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from nas.architecture.lowering import lower_chain
from nas.architecture.spec import IMAGE_CHANNELS, Layer, MaxPool, Residual, ResidualBlock
from nas.architecture.text import layer_to_text

LEAST_MAP = 4  # pixels that the last maps keep: larger kernels would see nothing but padding


def last_map(layers: Sequence[Layer], image_size: int) -> int:
    """Height and width in pixels of the map that the last convolution leaves.

    Args:
        layers: In order, with a convolution or more.
        image_size: Of the input, in pixels.
    """
    last = max(index for index, layer in enumerate(layers) if _convolves(layer))
    return _map_after(layers[: last + 1], image_size)


def with_fewer_strides(
    layers: Sequence[Layer], image_size: int
) -> tuple[tuple[Layer, ...], tuple[str, ...]]:
    """The layers with as many strides as leave the last maps 4x4 pixels or more.

    Strides become 1 from the first one on. Small images have no pixels to spare for the early ones,
    and all behind them stays as published.

    Args:
        layers: Of the published network.
        image_size: In pixels, 4 or more.

    Returns:
        The layers, and those that changed as text, as they were.
    """
    found, changed = list(layers), []
    for index, layer in enumerate(layers):
        if last_map(found, image_size) >= LEAST_MAP:
            break
        if getattr(layer, "stride", 1) > 1:
            found[index] = dataclasses.replace(layer, stride=1)  # type: ignore[call-arg]
            changed.append(layer_to_text(layer))
    return tuple(found), tuple(changed)


def with_whole_pool(layers: Sequence[Layer], image_size: int) -> tuple[Layer, ...]:
    """The layers with a last maximum over the whole map, which leaves one pixel.

    Args:
        layers: With one maximum or more.
        image_size: In pixels.
    """
    place = max(index for index, layer in enumerate(layers) if isinstance(layer, MaxPool))
    size = _map_after(layers[:place], image_size)
    return (*layers[:place], MaxPool(size), *layers[place + 1 :])


def _convolves(layer: Layer) -> bool:
    return isinstance(layer, Residual | ResidualBlock) or hasattr(layer, "channels")


def _map_after(layers: Sequence[Layer], image_size: int) -> int:
    lowered = lower_chain(layers, (image_size, image_size, IMAGE_CHANNELS))
    return lowered[-1].output_shape[0]
