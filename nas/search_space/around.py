"""`around:mobilenetv2_x0.5`: the networks around a published one, as a search space.

Each block keeps its place, stride and output. What it may be instead follows from what it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from nas.architecture.lowering import lower_architecture
from nas.architecture.references.named import reference
from nas.architecture.shapes import round_to_multiple
from nas.architecture.spec import (
    Conv,
    Layer,
    MBConv,
    Residual,
    ResidualBlock,
    SeparableConv,
    Skip,
    WidthsBlock,
)
from nas.errors import SpaceError
from nas.search_space.space import OneOf, Space

PREFIX = "around:"
EXPANSIONS = (3, 6)  # beside a block's own one
DEPTHWISE_KERNELS = (3, 5, 7)
DENSE_KERNELS = (1, 3, 5)  # larger ones cost more than they bring


def around(name: str, image_size: int | None = None, num_classes: int | None = None) -> Space:
    """The space around a published network, which is one of its networks.

    Args:
        name: Of the network, behind `PREFIX`, as `reference` takes it.
        image_size: Height and width in pixels; None for the published one.
        num_classes: Class scores; None for the published ones.

    Raises:
        InputError: An unknown name, with the nearest known one.
        SpaceError: Nothing of the network can be anything else.
    """
    network = reference(name, image_size, num_classes)
    layers: list[Layer | OneOf] = []
    for row in lower_architecture(network):
        # The first convolution is what every network of the space begins with. Without padding
        # another kernel would leave a map of another size.
        is_fixed = row.index == 0 or getattr(row.layer, "valid", False)
        options = () if is_fixed else _options(row.layer, row.input_shape == row.output_shape)
        layers.append(OneOf(f"layer{row.index}", options) if len(options) > 1 else row.layer)
    if not any(isinstance(layer, OneOf) for layer in layers):
        raise SpaceError(
            f"a space `{PREFIX}` of a network that leaves a choice",
            f"{name}, whose kernels have no padding: others would leave maps of other sizes",
            "search in a space of its own, such as --space cnv, or around another network",
        )
    return Space(f"around-{name}", network.image_size, tuple(layers))


def _options(layer: Layer, keeps_shape: bool) -> tuple[Layer, ...]:
    """What may stand in the place of a layer, itself among it."""
    near = _near(getattr(layer, "kernel", 1), DEPTHWISE_KERNELS)
    match layer:
        case MBConv():
            # Without an expansion there is no first convolution, which all others have.
            expansions = {*EXPANSIONS, layer.expansion} if layer.expansion > 1 else {1}
            found = _grid(layer, kernel=near, expansion=expansions)
            return _with_skip(found, keeps_shape and layer.residual)
        case WidthsBlock():
            widths = {layer.expanded, round_to_multiple(layer.expanded / 2)}
            expanded = widths if layer.expanded else {0}
            found = _grid(layer, kernel=near, expanded=expanded)
            return _with_skip(found, keeps_shape and layer.residual)
        case ResidualBlock():
            widths = {round_to_multiple(layer.width * part) for part in (0.25, 0.5, 1)}
            return _with_skip(_grid(layer, width=widths), True)
        case SeparableConv():
            return _grid(layer, kernel=near)
        case Conv() if layer.kernel > 1:
            return _grid(layer, kernel={k for k in DENSE_KERNELS if k <= layer.kernel})
        case Residual() if keeps_shape:
            return _with_skip((layer,), True)
        case _:
            return (layer,)


def _near(kernel: int, known: Iterable[int]) -> set[int]:
    """The kernel and the next ones below and above it."""
    return {kernel, *(other for other in known if abs(other - kernel) == 2)}


def _grid(layer: Layer, **values: Iterable[int]) -> tuple[Layer, ...]:
    """The layer with all combinations of values, ascending."""
    found = [layer]
    for name, row in values.items():
        found = [
            dataclasses.replace(one, **{name: value}) for one in found for value in sorted(row)
        ]
    return tuple(found)


def _with_skip(options: tuple[Layer, ...], may_skip: bool) -> tuple[Layer, ...]:
    return (*options, Skip()) if may_skip else options
