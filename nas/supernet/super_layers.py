"""A choice -> the layer that holds its options: a registry by the type of the records.

Importing it starts no framework, so that a user's own block can register its layer in the file
that defines it. Without one, `SwitchLayer` has a branch an option.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from nas.architecture import spec
from nas.architecture.activations import activation
from nas.architecture.lowering import has_residual, squeeze_channels
from nas.architecture.number_formats import format_text
from nas.architecture.scales import is_learned
from nas.architecture.shapes import Shape
from nas.layers.draw import SKIP
from nas.search_space.choice import OneOf
from nas.search_space.decisions import ordered

if TYPE_CHECKING:
    from nas.builders.keras_layers import LayerSettings
    from nas.layers.super_layer import SuperLayer


def layer_of(choice: OneOf, shape: Shape, settings: LayerSettings, name: str) -> SuperLayer:
    """The layer of a choice.

    Args:
        choice: The choice; its records may be of several types.
        shape: Of its input, without the batch.
        settings: Of the supernet.
        name: Of the layer.
    """
    blocks = choice.blocks or choice.options
    if len({type(block) for block in blocks}) > 1:
        return branches_of(choice, shape, settings, name)
    return super_layer(blocks[0], choice, shape, settings, name)


@functools.singledispatch
def super_layer(
    block: spec.Layer, choice: OneOf, shape: Shape, settings: LayerSettings, name: str
) -> SuperLayer:
    """The layer of a choice between records of one type; register a function for a type of record.

    Args:
        block: The first record; the others differ in the choice's decisions alone.
        choice: The choice.
        shape: Of its input, without the batch.
        settings: Of the supernet.
        name: Of the layer.
    """
    del block
    return branches_of(choice, shape, settings, name)


def branches_of(choice: OneOf, shape: Shape, settings: LayerSettings, name: str) -> SuperLayer:
    """A layer with a branch an option, whatever the records are; see `layer_of`."""
    from nas.supernet.switch import SwitchLayer

    return SwitchLayer(choice, shape, settings, name=name)


@super_layer.register(spec.MBConv)
def _mbconv_layer(
    block: spec.MBConv, choice: OneOf, shape: Shape, settings: LayerSettings, name: str
) -> SuperLayer:
    """One set of weights for all kernels, expansions and formats; branches for whatever else."""
    values = {decision.name: decision.options for decision in choice.decisions}
    # Without an expansion there is no first convolution: no slice of one.
    unexpanded = 1 in values.get("expansion", ())
    shared = {"kernel", "expansion", "weight_format", "activation_format", SKIP}
    if unexpanded or not set(values) <= shared or not _mixes_formats(choice):
        return branches_of(choice, shape, settings, name)
    from nas.layers.super_block import SuperBlock

    return SuperBlock(
        values.get("kernel", (block.kernel,)),
        values.get("expansion", (block.expansion,)),
        block.channels,
        block.stride,
        activation(block.activation).keras,
        squeeze_channels(block, shape[2]) if block.se_ratio else 0,
        has_residual(block, shape[2]),
        {"momentum": settings.momentum, "epsilon": spec.BATCH_NORM_EPSILON},
        _formats(choice),
        name=name,
    )


@super_layer.register(spec.Conv)
@super_layer.register(spec.DepthwiseConv)
@super_layer.register(spec.Dense)
def _format_layer(
    block: spec.Layer, choice: OneOf, shape: Shape, settings: LayerSettings, name: str
) -> SuperLayer:
    """One kernel for all number formats; branches for whatever else differs."""
    del block
    from nas.supernet.format_layer import FormatLayer, shares_weights

    if not shares_weights(choice):
        return branches_of(choice, shape, settings, name)
    return FormatLayer(choice, shape, settings, name=name)


def _mixes_formats(choice: OneOf) -> bool:
    """Whether formats of inverted residuals are those that one set of weights can have."""
    blocks = [block for block in choice.blocks if isinstance(block, spec.MBConv)]
    # What a block reads inside has a scale for each format that it reads: one follows the other.
    pairs = {(block.activation_format, block.inner_format) for block in blocks}
    return len(pairs) == len({first for first, _ in pairs}) and all(
        block.bias_format is None
        and block.norm_format is None
        and not is_learned(block.weight_format)
        for block in blocks
    )


def _formats(choice: OneOf) -> dict[str, tuple[str, ...]] | None:
    """Formats of an inverted residual, one an option of what decides them; None for float32."""
    blocks = [block for block in choice.blocks if isinstance(block, spec.MBConv)]
    weights = ordered(block.weight_format for block in blocks)
    read = ordered(block.activation_format for block in blocks)
    inside = {b.activation_format: b.inner_format or b.activation_format for b in blocks}
    found = {"weights": weights, "read": read, "inside": tuple(inside[one] for one in read)}
    if all(one is None for row in found.values() for one in row):
        return None
    return {name: tuple(map(format_text, row)) for name, row in found.items()}
