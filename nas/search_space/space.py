"""A search space is a network in which some layers are a choice: the same tree, one walk.

`OneOf` holds the records that may stand at a place. Spaces are values: sampling, counting,
encoding and decoding walk the tree and never change it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nas.architecture import text as arch_text
from nas.architecture.lowering import LoweredLayer, lower_layer
from nas.architecture.operations import FLOAT, ConvOp, DenseOp, all_ops, has_formats
from nas.architecture.shapes import Shape
from nas.architecture.spec import BUILT_IN, IMAGE_CHANNELS, Architecture, Dense, Layer
from nas.errors import SpaceError
from nas.search_space.choice import OneOf as OneOf
from nas.search_space.draws import even_indices
from nas.search_space.tables import DecisionTables


@dataclass(frozen=True)
class Space:
    """A search space.

    Args:
        name: Stable name, part of tables and run folders.
        image_size: Input height and width in pixels.
        layers: Records and choices from the first convolution to the class scores.
        excluded: Of each choice, the indices of options that gates must not learn; empty for none.
            The space has them still: weights learn them, and the encoding counts them.
    """

    name: str
    image_size: int
    layers: tuple[Layer | OneOf, ...]
    excluded: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        tags = [choice.tag for choice in self.choices]
        if len(set(tags)) != len(tags):
            raise SpaceError("a different tag at each choice", f"{tags}", "rename one")
        self.input_shapes()

    @property
    def choices(self) -> tuple[OneOf, ...]:
        """The choices in order; the encoding has one index for each."""
        return tuple(layer for layer in self.layers if isinstance(layer, OneOf))

    @property
    def choice_layers(self) -> tuple[int, ...]:
        """Index into `layers` of each choice."""
        return tuple(i for i, layer in enumerate(self.layers) if isinstance(layer, OneOf))

    @property
    def size(self) -> int:
        """Number of networks."""
        return math.prod(len(choice.options) for choice in self.choices)

    @property
    def num_classes(self) -> int:
        """Class scores of every network in the space."""
        place = self.layers[-1]
        # Options have one output, so that each of them tells it.
        last = place.options[0] if isinstance(place, OneOf) else place
        if not isinstance(last, Dense):
            raise SpaceError(
                "a dense last layer", arch_text.layer_to_text(last), "end the space with Dense"
            )
        return last.units

    def input_shapes(self) -> tuple[Shape, ...]:
        """Input shape of every layer; all options of a choice must agree on their output.

        Raises:
            SpaceError: Options disagree, so that what follows would have no fixed shape.
        """
        shape: Shape = (self.image_size, self.image_size, IMAGE_CHANNELS)
        shapes = []
        for index, layer in enumerate(self.layers):
            shapes.append(shape)
            options = layer.options if isinstance(layer, OneOf) else (layer,)
            outputs = {lower_layer(option, shape, index).output_shape for option in options}
            if len(outputs) != 1:
                raise SpaceError(
                    f"one output shape for all options of layer {index}",
                    f"{sorted(outputs)}",
                    "give the options the same stride and channels (skip: the input's)",
                )
            shape = outputs.pop()
        return tuple(shapes)

    def lowered_options(self) -> tuple[tuple[LoweredLayer, ...], ...]:
        """Every option of every choice with its operations."""
        shapes = self.input_shapes()
        return tuple(
            tuple(lower_layer(option, shapes[index], index) for option in layer.options)
            for index, layer in enumerate(self.layers)
            if isinstance(layer, OneOf)
        )

    @cached_property
    def has_formats(self) -> bool:
        """Whether any of its networks has numbers that are not float32."""
        return any(
            has_formats(lower_layer(option, shape).ops)
            for layer, shape in zip(self.layers, self.input_shapes(), strict=True)
            for option in (layer.options if isinstance(layer, OneOf) else (layer,))
        )

    @cached_property
    def tables(self) -> DecisionTables:
        """The decisions of all choices."""
        return DecisionTables.of(self.choices).without(self.excluded)

    def without(self, excluded: Sequence[np.ndarray]) -> Space:
        """The same space with options that gates must not learn.

        Args:
            excluded: Of each choice, whether an option is one of them.
        """
        indices = tuple(tuple(np.flatnonzero(row).tolist()) for row in excluded)
        return replace(self, excluded=indices)

    def even_indices(self, rng: np.random.Generator) -> tuple[int, ...]:
        """One option a choice, drawn evenly over the joint options of each block.

        Args:
            rng: Generator of this draw.
        """
        return even_indices((len(choice.options) for choice in self.choices), rng)

    def decode(self, indices: Sequence[int]) -> Architecture:
        """Option indices -> architecture.

        Raises:
            SpaceError: Wrong number of indices, or one out of range.
        """
        choices = self.choices
        if len(indices) != len(choices):
            raise SpaceError(f"{len(choices)} indices", f"{len(indices)}", "one a choice")
        for index, choice in zip(indices, choices, strict=True):
            if not 0 <= index < len(choice.options):
                raise SpaceError(
                    f"an index from 0 to {len(choice.options) - 1} at `{choice.tag}`",
                    f"{index}",
                    "use an option that exists",
                )
        remaining = iter(indices)
        layers = tuple(
            layer.options[next(remaining)] if isinstance(layer, OneOf) else layer
            for layer in self.layers
        )
        return Architecture(self.image_size, layers)

    def encode(self, architecture: Architecture) -> tuple[int, ...]:
        """Architecture -> option indices; the inverse of `decode`.

        Raises:
            SpaceError: The network is not in the space; names the first place that differs.
        """
        if (architecture.image_size, len(architecture.layers)) != (
            self.image_size,
            len(self.layers),
        ):
            raise SpaceError(
                f"a network of space `{self.name}`: {self.image_size} px and "
                f"{len(self.layers)} layers",
                f"{architecture.image_size} px, {len(architecture.layers)} layers",
                "use a network of this space",
            )
        indices = []
        for position, (layer, own) in enumerate(zip(architecture.layers, self.layers, strict=True)):
            options = own.options if isinstance(own, OneOf) else (own,)
            if layer not in options:
                allowed = ", ".join(arch_text.layer_to_text(option) for option in options)
                raise SpaceError(
                    f"one of {allowed} as layer {position} in space `{self.name}`",
                    arch_text.layer_to_text(layer),
                    "use a network of this space",
                )
            if isinstance(own, OneOf):
                indices.append(options.index(layer))
        return tuple(indices)

    def contains(self, architecture: Architecture) -> bool:
        """Whether the space has this network."""
        try:
            self.encode(architecture)
        except SpaceError:
            return False
        return True

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A network drawn evenly over the joint options of each block."""
        return self.decode(self.even_indices(rng))

    def largest(self) -> Architecture:
        """Every block at the last value of each decision: largest kernel and expansion."""
        return self._extreme(largest=True)

    def smallest(self) -> Architecture:
        """Every block left out where that is allowed, else the first value of each decision."""
        return self._extreme(largest=False)

    def _extreme(self, largest: bool) -> Architecture:
        return self.decode([c.options.index(c.extreme(largest)) for c in self.choices])

    def fingerprint(self) -> str:
        """12 hex digits of everything that decides what the space's rows cost."""
        tree = [
            [_description(option, shape) for option in layer.options]
            if isinstance(layer, OneOf)
            else _description(layer, shape)
            for layer, shape in zip(self.layers, self.input_shapes(), strict=True)
        ]
        text = json.dumps([self.name, self.image_size, tree])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _description(layer: Layer, shape: Shape) -> str | list[str]:
    """A record as text; of a user's own also what it is lowered to, which may change."""
    text = arch_text.layer_to_text(layer)
    if type(layer) in BUILT_IN:
        return text
    ops = lower_layer(layer, shape).ops
    # Their texts leave out what earlier versions did not have; it stands behind them.
    kernels = [op for op in all_ops(ops) if isinstance(op, ConvOp | DenseOp)]
    formats = [f"{op.name} {op.formats}" for op in kernels if op.formats != FLOAT]
    scales = [f"{op.name} {op.scale}" for op in kernels if isinstance(op, DenseOp) if op.scale != 1]
    return [text, repr(ops), *formats, *scales]
