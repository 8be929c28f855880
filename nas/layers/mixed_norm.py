"""Batch normalisation whose number formats are options of gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from nas.layers.batch_norm import BatchNorm, Statistics
from nas.layers.fast import Tensor
from nas.layers.mixed_formats import mixed
from nas.layers.quantized_norm import QuantizedBatchNorm


@keras.saving.register_keras_serializable("stopwatch_nas")
class MixedBatchNorm(BatchNorm):
    """One normalisation in the formats of several options: statistics are the same for all.

    Args:
        forms: Formats of scale, shift and output, and of the shift alone, as `QuantizedBatchNorm`
            takes them; one pair an option.
        **kwargs: Of `BatchNorm`.
    """

    def __init__(self, *args: Any, forms: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._texts = [tuple(pair) for pair in forms]
        made: list[QuantizedBatchNorm] = [
            QuantizedBatchNorm(epsilon=self.epsilon, norm_format=norm, shift_format=shift)
            for norm, shift in self._texts
        ]
        # Behind a function, so that Keras counts none of them as layers with weights of their own.
        self._forms: Callable[[], list[QuantizedBatchNorm]] = lambda: made

    def normalise_as(
        self, x: Tensor, training: bool, gate: Tensor, is_sampled: bool
    ) -> tuple[Tensor, Statistics]:
        """As `BatchNorm.normalise`, in the drawn format.

        Args:
            x: (batch, ..., channels).
            training: Use the batch's statistics instead of the running ones.
            gate: (options,), one-hot for a network that exists.
            is_sampled: Whether the gate gets no gradient.

        Returns:
            Normalised x, and what the running statistics become.
        """
        if not training:
            known = (self.gamma, self.beta, *self.statistics)
            options = [partial(_evaluated, form, known) for form in self._forms()]
            return mixed(options, x, gate, is_sampled), self.statistics
        y, mean, variance = self._by_batch(x, self.gamma, self.beta)
        batch = (self.gamma, self.beta, mean, variance)
        options = [partial(_trained, form, batch) for form in self._forms()]
        mean, variance = self._moved(self.statistics, (mean, variance))
        return mixed(options, y, gate, is_sampled), (mean, variance)

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {**super().get_config(), "forms": self._texts}


def _evaluated(form: QuantizedBatchNorm, known: tuple[Tensor, ...], x: Tensor) -> Tensor:
    return form.by_running(x, *known)


def _trained(form: QuantizedBatchNorm, batch: tuple[Tensor, ...], y: Tensor) -> Tensor:
    return form.in_formats(y, *batch)
