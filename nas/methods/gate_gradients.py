"""How long the two gradients of a gate step are: that of the cross-entropy and of the penalty.

Their ratio has no unit. Where the penalty's gradient is the longer one, the step leads to less of
the cost whatever the cross-entropy says: (p + c) . p >= |p| (|p| - |c|) > 0 by Cauchy and Schwarz.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from nas.supernet.views import GateView, PriceView
from nas.system.devices import device_count, own_rows
from nas.system.graphs import jit_compile


class GateGradients:
    """Measures both gradients of a gate step.

    Adam's first moment m is beta m + (1 - beta) g after a step with gradient g, so that g of the
    whole loss is what two moments tell. The gradient of the price alone is a step of its own, with
    rate 0, through the options' costs and no image; the rest is the cross-entropy's.

    Args:
        view: What the gate steps train.
        optimizer: Keras' Adam that they train with, already built.
    """

    def __init__(self, view: GateView, optimizer: Any) -> None:
        self._view, self._optimizer = view, optimizer
        self._price_view = PriceView(view)
        # Without a memory, the first moment is the gradient.
        self._price_optimizer = keras.optimizers.Adam(0.0, beta_1=0.0)
        self._price_optimizer.build(view.trainable_variables)
        # The price is float32 in every policy; a scaled loss would need a memory.
        self._price_view.compile(
            optimizer=self._price_optimizer, jit_compile=jit_compile(), auto_scale_loss=False
        )

    def norms(self, step: Callable[[], None]) -> dict[str, float]:
        """Euclidean lengths of both gradients of a step, over all gates.

        Args:
            step: Runs the gate step.

        Returns:
            `cross_entropy_gradient` and `penalty_gradient`.
        """
        nothing = np.zeros((device_count(), 1), np.float32)  # each device gets a row
        self._price_view.train_on_batch(own_rows(nothing), own_rows(nothing))
        strength = float(keras.ops.convert_to_numpy(self._view.strength))
        penalty = [strength * price for price in _moments(self._price_optimizer)]
        before, beta = _moments(self._optimizer), float(self._optimizer.beta_1)
        step()
        whole = [
            (new - beta * old) / (1.0 - beta)
            for old, new in zip(before, _moments(self._optimizer), strict=True)
        ]
        rest = [total - part for total, part in zip(whole, penalty, strict=True)]
        return {"cross_entropy_gradient": _length(rest), "penalty_gradient": _length(penalty)}


def _moments(optimizer: Any) -> list[np.ndarray]:
    return [
        np.array(keras.ops.convert_to_numpy(moment), np.float64) for moment in optimizer._momentums
    ]


def _length(gradient: Sequence[np.ndarray]) -> float:
    return float(np.sqrt(sum(float(np.square(part).sum()) for part in gradient)))
