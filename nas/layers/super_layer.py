"""The interface of a layer that holds all options of a choice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from nas.layers.batch_norm import BatchNorm, Statistics
from nas.layers.draw import SKIP
from nas.layers.fast import Tensor

EXECUTIONS = ("masked", "sampled")

Gates = Mapping[str, Tensor]


class SuperLayer(keras.layers.Layer):
    """All options of one choice in one layer; gates say which one runs.

    Two executions give the same output and, up to rounding, the same gradients of weights:

    - `masked` computes all options. Gates get gradients, and all running statistics move, those of
      options that were not drawn too.
    - `sampled` computes the drawn option alone. Gates get no gradient, weights that were not drawn
      get exactly zero, and running statistics of what was not drawn stay: they hold means over the
      networks that had the option. Neither kind belongs to a network; re-estimate them before an
      accuracy is read.
    """

    def call(
        self,
        x: Tensor,
        gates: Gates,
        training: bool = False,
        update_statistics: bool = True,
        execution: str = "masked",
    ) -> Tensor:
        """Runs the layer on x of shape (batch, height, width, channels).

        Args:
            x: Input.
            gates: Decision of the choice -> (options,), one-hot for a network that exists.
            training: As in Keras.
            update_statistics: Whether running statistics move in training mode.
            execution: One of `EXECUTIONS`; see the class. `sampled` takes one-hot gates.

        Returns:
            What the option gives; x itself for a skipped block.
        """
        run = self.sampled if execution == "sampled" else self.masked
        y, statistics = run(x, gates, training)
        if training and update_statistics:
            for norm, values in zip(self.norms(), statistics, strict=True):
                norm.set_statistics(values)
        return y

    @abstractmethod
    def norms(self) -> list[BatchNorm]:
        """The normalisations whose statistics the executions return."""

    @abstractmethod
    def masked(self, x: Tensor, gates: Gates, training: bool) -> tuple[Tensor, list[Statistics]]:
        """Output and moved statistics of all options, weighted by their gates."""

    @abstractmethod
    def sampled(self, x: Tensor, gates: Gates, training: bool) -> tuple[Tensor, list[Statistics]]:
        """Output and moved statistics of the drawn option."""

    @abstractmethod
    def weights_of(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The weights of one option, as a network of its own has them.

        Args:
            values: Decision -> value of the option, without `SKIP`.

        Returns:
            Arrays under the names of `nas.architecture.weights`, without the layer's index.
        """


def keep_gate(gates: Gates) -> Tensor | None:
    """Scalar, 1 to compute a block and 0 to leave it out; None if it cannot be left out."""
    return gates[SKIP][0] if SKIP in gates else None


def gate_of(gates: Gates, decision: str) -> Tensor:
    """(options,) gates of a decision; of one option where the choice does not decide it."""
    return gates[decision] if decision in gates else ops.ones((1,))


def kept(x: Tensor, y: Tensor, gates: Gates) -> Tensor:
    """What a block gives: y, or x where it is left out.

    Args:
        x: Input of the block.
        y: Output of the same shape, if the block can be left out.
        gates: Of the choice.
    """
    keep = keep_gate(gates)
    if keep is None:
        return y
    keep = ops.cast(keep, y.dtype)
    return y * keep + x * (1 - keep)


def to_numpy(variable: Any) -> np.ndarray:
    """Values of a variable as float32."""
    return np.asarray(ops.convert_to_numpy(variable), np.float32)


def norm_weights(name: str, norm: Any, width: int | None) -> dict[str, np.ndarray]:
    """The weights of the first channels of a normalisation, by name.

    Args:
        name: Of the operation that it follows.
        norm: The `BatchNorm`.
        width: How many channels; None for all of them.
    """
    kinds = ("gamma", "beta", "mean", "variance")
    return {f"{name}.{kind}": to_numpy(getattr(norm, kind))[:width] for kind in kinds}
