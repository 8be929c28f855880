"""A layer with a branch an option: any choice can be searched without a line on its weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from nas.architecture.lowering import lower
from nas.architecture.shapes import Shape
from nas.builders.keras_layers import LayerSettings, OpChain
from nas.layers.batch_norm import BatchNorm, Statistics
from nas.layers.fast import Tensor
from nas.layers.quantized_layer import QuantizedLayer
from nas.layers.super_layer import Gates, SuperLayer, keep_gate, kept
from nas.search_space.choice import OneOf

# What the names of a branch's weights begin with, where a network has its layer's index.
_PREFIX = "block"
# PyTorch has no gradients of a branch that did not run: there all branches run.
SWITCHES = keras.backend.backend() != "torch"


class SwitchLayer(SuperLayer):
    """A network of its own for each block of a choice; gates weight or choose the outputs.

    Nothing is shared between options, and all branches are computed where gates learn. A layer
    that says how options are slices of one set of weights learns faster; see `super_layers`.

    Args:
        choice: Between any records.
        shape: Of the input, without the batch.
        settings: Of the supernet.
    """

    def __init__(self, choice: OneOf, shape: Shape, settings: LayerSettings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._choice = choice
        self._chains = [OpChain(lower(b, _PREFIX, shape), settings) for b in choice.blocks]
        # In a list of layers, which Keras tracks.
        self.branches = [chain.layers for chain in self._chains]
        self._columns = {
            decision.name: np.array(
                [decision.options.index(choice.values(b)[decision.name]) for b in choice.blocks]
            )
            for decision in choice.block_decisions
        }

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights of every branch."""
        del input_shape  # the operations carry their shapes
        for chain in self._chains:
            chain.build()

    def norms(self) -> list[BatchNorm]:
        """The normalisations of all branches, in order."""
        return [norm for chain in self._chains for norm in chain.norms]

    def _block_gates(self, gates: Gates) -> Tensor:
        """(blocks,) products of the gates of each block's decisions."""
        found = ops.ones((len(self._chains),))
        for name, columns in self._columns.items():
            found = found * ops.take(gates[name], columns)
        return found

    def _branch(self, number: int, x: Tensor, training: bool) -> tuple[Tensor, list[Statistics]]:
        """One branch, with its moved statistics."""
        moved: list[Statistics] = []

        def call(layer: Any, values: Any) -> Any:
            if isinstance(layer, BatchNorm):
                y, statistics = layer.normalise(values, training)
                moved.append(statistics)
                return y
            if isinstance(layer, keras.layers.Dropout | QuantizedLayer):
                return layer(values, training=training)
            return layer(values)

        return self._chains[number].run(x, call), moved

    def masked(self, x: Tensor, gates: Gates, training: bool) -> tuple[Tensor, list[Statistics]]:
        """The sum of all branches, each multiplied by its gate."""
        weights = self._block_gates(gates)
        outputs, statistics = [], []
        for number in range(len(self._chains)):
            y, moved = self._branch(number, x, training)
            outputs.append(y * ops.cast(weights[number], y.dtype))
            statistics += moved
        return kept(x, sum(outputs[1:], outputs[0]), gates), statistics

    def sampled(self, x: Tensor, gates: Gates, training: bool) -> tuple[Tensor, list[Statistics]]:
        """The drawn branch; where branches cannot be chosen, all, and its statistics alone move."""
        index = ops.cast(ops.argmax(self._block_gates(gates)), "int32")
        keep = keep_gate(gates)
        if keep is not None:
            index = ops.where(keep > 0.5, index, len(self._chains))
        if SWITCHES:
            cases = self._cases(x, training, keep is not None)
            chosen: tuple[Tensor, list[Statistics]] = ops.switch(index, cases)
            return chosen
        y, moved = self.masked(x, gates, training)
        return y, self._moved_of(index, moved)

    def _cases(self, x: Tensor, training: bool, with_skip: bool) -> list[Any]:
        old = [[norm.statistics for norm in chain.norms] for chain in self._chains]

        def case(number: int) -> tuple[Tensor, list[Statistics]]:
            if number == len(self._chains):
                return x, [values for row in old for values in row]
            y, moved = self._branch(number, x, training)
            rows = [*old[:number], moved, *old[number + 1 :]]
            return y, [values for row in rows for values in row]

        return [partial(case, number) for number in range(len(self._chains) + with_skip)]

    def _moved_of(self, index: Tensor, moved: list[Statistics]) -> list[Statistics]:
        owners = [i for i, chain in enumerate(self._chains) for _ in chain.norms]
        return [
            (
                ops.where(index == owner, mean, norm.mean),
                ops.where(index == owner, variance, norm.variance),
            )
            for owner, norm, (mean, variance) in zip(owners, self.norms(), moved, strict=True)
        ]

    def weights_of(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """All weights of the option's branch; see `SuperLayer`."""
        number = self._choice.blocks.index(self._choice.block(values))
        arrays = self._chains[number].arrays()
        return {name.removeprefix(f"{_PREFIX}."): value for name, value in arrays.items()}

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape after any of the branches, which agree."""
        chain = self._chains[0]
        return (input_shape[0], *(chain.ops[-1].output_shape if chain.ops else input_shape[1:]))

    def get_config(self) -> dict[str, Any]:
        """Refuses: records are no Keras configuration."""
        raise NotImplementedError("A supernet is rebuilt from its space, not from a Keras config.")
