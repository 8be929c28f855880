"""Two views of a supernet, each compiled with its own optimizer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nas.cost.additive import AdditiveCost, ExpectedCost
from nas.layers.fast import Tensor
from nas.supernet.model import Supernet, check_execution


class WeightView(keras.Model):
    """The supernet as its weights' optimizer sees it: gates fixed, statistics move.

    One compiled graph serves every draw.

    Args:
        network: The supernet.
        execution: `masked`, or `sampled` to compute only the drawn options: the same
            loss and gradients in less time, while running statistics of what was not drawn stay.
            It needs `jit_compile=False` on TensorFlow: XLA has no shapes that change.

    Raises:
        InputError: Another execution.
    """

    def __init__(self, network: Supernet, execution: str = "masked") -> None:
        super().__init__()
        check_execution(execution)
        self.network = network
        self.execution = execution
        self.built = True

    @property
    def trainable_variables(self) -> list[Any]:
        """All but the gates'."""
        gates = {id(v) for v in self.network.gates.variables}
        return [v for v in self.network.trainable_variables if id(v) not in gates]

    @property
    def trainable_weights(self) -> list[Any]:
        """Another name of the same, which Keras also reads."""
        return self.trainable_variables

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Class scores (batch, classes) of the drawn network."""
        return self.network(images, training=training, execution=self.execution)


class GateView(keras.Model):
    """The supernet as its gates' optimizer sees it: only logits learn, statistics stay.

    The loss is cross-entropy plus `strength * ln(E[cost])`, or with a target
    `strength * (E[cost] / target - 1)`.

    Args:
        network: The supernet.
        cost: Of the space's networks, in what the goal is asked in.
        target: Budget in the same unit; None for the logarithmic penalty.
    """

    def __init__(self, network: Supernet, cost: AdditiveCost, target: float | None = None) -> None:
        super().__init__()
        self.network = network
        self.expected = ExpectedCost(cost, network.space.tables)
        self.target = target
        self.strength = self.add_weight(
            name="strength", shape=(), initializer="zeros", trainable=False
        )
        self.built = True

    @property
    def trainable_variables(self) -> list[Any]:
        """The gates' alone."""
        return list(self.network.gates.trainable_variables)

    @property
    def trainable_weights(self) -> list[Any]:
        """Another name of the same, which Keras also reads."""
        return self.trainable_variables

    def expected_cost(self) -> Tensor:
        """Differentiable expectation of the cost under the current logits."""
        return self.expected(self.network.gates.probabilities())

    def price(self) -> Tensor:
        """What the strength weighs: ln E, or how far E is beyond the target, as its share."""
        expected = self.expected_cost()
        return ops.log(expected) if self.target is None else expected / self.target - 1.0

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Class scores (batch, classes) of the drawn network."""
        return self.network(
            images, training=training, differentiable_gates=training, update_statistics=False
        )

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Cross-entropy and the price of the expected cost."""
        cross_entropy = super().compute_loss(x, y, y_pred, sample_weight, training)
        return cross_entropy + self.strength * self.price()


class PriceView(keras.Model):
    """The price of the cost alone as the gates' optimizer sees it; a step needs no image.

    Args:
        gates_view: Whose price it is.
    """

    def __init__(self, gates_view: GateView) -> None:
        super().__init__()
        self.gates_view = gates_view
        self.built = True

    @property
    def trainable_variables(self) -> list[Any]:
        """The gates' alone."""
        return self.gates_view.trainable_variables

    @property
    def trainable_weights(self) -> list[Any]:
        """Another name of the same, which Keras also reads."""
        return self.trainable_variables

    def call(self, nothing: Tensor, training: bool = False) -> Tensor:
        """What it gets: the price depends on no input."""
        del training
        return nothing

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """The price, whatever it is weighed with."""
        del x, y, y_pred, sample_weight, training
        return self.gates_view.price()
