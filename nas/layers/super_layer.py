"""The interface of a layer that holds all options of a choice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

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


def to_numpy(variable: Any) -> np.ndarray:
    """Values of a variable as float32."""
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float32)
