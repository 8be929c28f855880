"""Two views of a supernet, each compiled with its own optimizer; the exact expected latency."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from nas.layers.fast import Tensor
from nas.supernet.model import Supernet, check_execution


def expected_latency_ms(
    probabilities: dict[str, Tensor], grid_ms: Tensor, scale: float, offset_ms: float
) -> Tensor:
    """E[ms] = scale * sum_blocks (1 - p_skip) sum_ke p_k p_e ms_ke + offset.

    Exact, because the decisions are independent and the latency is a sum over blocks.

    Args:
        probabilities: Of `Gates.probabilities`.
        grid_ms: (choices, kernels, expansions) from the table.
        scale: Slope of the table's calibration.
        offset_ms: Calibrated milliseconds of everything that is fixed.
    """
    block_ms = ops.einsum(
        "ck,ce,cke->c", probabilities["kernel"], probabilities["expansion"], grid_ms
    )
    return scale * ops.sum(probabilities["skip"][:, 0] * block_ms) + offset_ms


class WeightView(keras.Model):
    """The supernet as its weights' optimizer sees it: gates fixed, statistics move.

    One compiled graph serves every draw.

    Args:
        network: The supernet.
        execution: `masked`, or `sampled` to compute only the drawn kernels and channels: the same
            loss and gradients in less time, while running statistics of what was not drawn stay.
            It needs `jit_compile=False` on TensorFlow: XLA has no shapes that change.

    Raises:
        ValueError: Another execution.
    """

    def __init__(self, network: Supernet, execution: str = "masked") -> None:
        super().__init__()
        check_execution(execution)
        self.network = network
        self.execution = execution
        self.built = True

    @property
    def trainable_variables(self) -> list[Any]:
        gates = {id(v) for v in self.network.gates.variables}
        return [v for v in self.network.trainable_variables if id(v) not in gates]

    @property
    def trainable_weights(self) -> list[Any]:
        return self.trainable_variables

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        return self.network(images, training=training, execution=self.execution)


class GateView(keras.Model):
    """The supernet as its gates' optimizer sees it: only logits learn, statistics stay.

    The loss is cross-entropy plus `strength * ln(E[ms])`, or with a target
    `strength * (E[ms] / target - 1)`.

    Args:
        network: The supernet.
        grid_ms: (choices, kernels, expansions) milliseconds.
        scale: Slope of the calibration.
        offset_ms: Calibrated milliseconds of the fixed part.
        target_ms: Budget; None for the logarithmic penalty.
    """

    def __init__(
        self,
        network: Supernet,
        grid_ms: np.ndarray,
        scale: float,
        offset_ms: float,
        target_ms: float | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.grid_ms = np.asarray(grid_ms, np.float32)
        self.latency_scale, self.offset_ms = float(scale), float(offset_ms)
        self.target_ms = target_ms
        self.strength = self.add_weight(
            name="strength", shape=(), initializer="zeros", trainable=False
        )
        self.built = True

    @property
    def trainable_variables(self) -> list[Any]:
        return list(self.network.gates.trainable_variables)

    @property
    def trainable_weights(self) -> list[Any]:
        return self.trainable_variables

    def expected_ms(self) -> Tensor:
        """Differentiable expectation of the latency under the current logits."""
        return expected_latency_ms(
            self.network.gates.probabilities(), self.grid_ms, self.latency_scale, self.offset_ms
        )

    def call(self, images: Tensor, training: bool = False) -> Tensor:
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
        cross_entropy = super().compute_loss(x, y, y_pred, sample_weight, training)
        expected = self.expected_ms()
        if self.target_ms is None:
            return cross_entropy + self.strength * ops.log(expected)
        return cross_entropy + self.strength * (expected / self.target_ms - 1.0)
