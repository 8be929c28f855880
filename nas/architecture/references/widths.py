"""Width multipliers: every width of a published network, by the rule that it was published with."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from nas.architecture.references.published import Published
from nas.architecture.shapes import round_to_multiple
from nas.architecture.spec import (
    Conv,
    Dense,
    Layer,
    MBConv,
    Residual,
    ResidualBlock,
    SeparableConv,
    WidthsBlock,
)

STEM = 0  # index of the first convolution
LEAST_WIDTH = 8


def scaled(layers: Sequence[Layer], multiplier: float, published: Published) -> tuple[Layer, ...]:
    """The layers with all widths multiplied; the classifier keeps its units.

    A width becomes the nearest multiple of 8, never more than 10 % below the exact product, as
    published with MobileNetV2 (`round_to_multiple`). A width below 8 stays where others become
    narrower. Expansions keep their ratio to the block's
    input, squeezes theirs to the expansion.

    Args:
        layers: Of the network as it was published, whose last one is the classifier.
        multiplier: Above 0; 1 changes nothing.
        published: With the rules for its stem and head.
    """
    if multiplier == 1:
        return tuple(layers)
    *body, classifier = layers
    head = _head(body) if published.keeps_head else None
    found: list[Layer] = []
    before = after = 0  # channels of the block's input, as published and now
    for index, layer in enumerate(body):
        is_kept = published.keeps_stem and index in (STEM, head)
        least = 1.0 if is_kept or index == head else 0.0
        most = 1.0 if is_kept else multiplier
        found.append(_wider(layer, max(least, most), before, after))
        before, after = _width(layer) or before, _width(found[-1]) or after
    return (*found, classifier)


def least_multiplier(layers: Sequence[Layer], published: Published) -> float:
    """The least multiplier that says anything: below it all widths would be the least one.

    Args:
        layers: Of the network as it was published, whose last one is the classifier.
        published: With the rules for its stem and head.

    Returns:
        In whole thousandths: the widest layer has `LEAST_WIDTH` channels or more.
    """
    body = layers[:-1]
    head = _head(body) if published.keeps_head else None
    stem = STEM if published.keeps_stem else None
    widest = max(_width(layer) for index, layer in enumerate(body) if index not in (head, stem))
    return math.ceil(1000 * LEAST_WIDTH / widest) / 1000


def _head(body: Sequence[Layer]) -> int:
    """Index of the last layer that has a width."""
    return max(index for index, layer in enumerate(body) if _width(layer))


def _width(layer: Layer) -> int:
    """Channels or units that a layer ends with; 0 where it keeps those that it gets."""
    if isinstance(layer, Residual):
        return next((width for width in map(_width, reversed(layer.layers)) if width), 0)
    if isinstance(layer, Dense):
        return layer.units
    return getattr(layer, "channels", 0)


def _wider(layer: Layer, multiplier: float, before: int, after: int) -> Layer:
    """One layer with its widths multiplied."""

    def times(width: int) -> int:
        rounded = round_to_multiple(width * multiplier, LEAST_WIDTH)
        # What is narrower than the least width stays: a multiplier below 1 widens nothing.
        return width if width < LEAST_WIDTH and multiplier < 1 else rounded

    match layer:
        case Conv() | SeparableConv() | MBConv():
            return dataclasses.replace(layer, channels=times(layer.channels))
        case WidthsBlock():
            # Without an expansion the depthwise convolution is as wide as the input.
            expanded = layer.expanded and round_to_multiple(layer.expanded / before * after)
            share = layer.squeeze / (layer.expanded or before)
            squeeze = layer.squeeze and round_to_multiple(share * (expanded or after))
            return dataclasses.replace(
                layer, channels=times(layer.channels), expanded=expanded, squeeze=squeeze
            )
        case ResidualBlock():
            return dataclasses.replace(layer, width=times(layer.width))
        case Dense():
            return dataclasses.replace(layer, units=times(layer.units))
        case Residual():
            body, shortcut = (
                tuple(_wider(one, multiplier, before, after) for one in way)
                for way in (layer.layers, layer.shortcut)
            )
            return Residual(body, shortcut)
        case _:
            return layer  # pools, dropout and flattening have no widths
