"""Batch normalisation behind quantised layers: exact in evaluation, or all in fixed point."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nas.architecture.number_formats import FLOAT32, parse_format
from nas.architecture.scales import check_norm
from nas.layers import fake_quantization as fake
from nas.layers.batch_norm import BatchNorm
from nas.layers.fast import DOUBLE, Tensor


@keras.saving.register_keras_serializable("stopwatch_nas")
class QuantizedBatchNorm(BatchNorm):
    """Batch normalisation as one multiplication and one addition a channel.

    With a norm format, scale, shift and output are numbers of it, as in the networks of triggers
    (Duarte et al. 2018, arXiv 1804.06913; Coelho et al. 2021, arXiv 2006.10159). Without one, scale
    and shift are folded into what the sums are multiplied with and what is added to them; the shift
    may then have the format of a bias. Gradients are those of the normalisation without formats,
    within the range of the output.

    Args:
        norm_format: Fixed point, or `float32`.
        shift_format: Of the shift alone; `float32` where it is that of all.
        **kwargs: Of `BatchNorm`.

    Raises:
        ArchitectureError: The norm format is not fixed point.
    """

    def __init__(
        self,
        *args: Any,
        norm_format: str = FLOAT32,
        shift_format: str = FLOAT32,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.norm_format = check_norm(self.name, parse_format(norm_format))
        self.shift_format = parse_format(shift_format) or self.norm_format
        self._texts = {"norm_format": norm_format, "shift_format": shift_format}

    def _by_batch(self, x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, mean, variance = super()._by_batch(x, gamma, beta)
        return self.in_formats(y, gamma, beta, mean, variance), mean, variance

    def in_formats(
        self, y: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor
    ) -> Tensor:
        """What was normalised without formats, as the formats have it.

        Args:
            y: (batch, ..., channels), normalised.
            gamma: (channels,) scale.
            beta: (channels,) offset.
            mean: (channels,) of the batch.
            variance: (channels,) of the batch.
        """
        if self.shift_format is None:
            return y
        scale = gamma * ops.rsqrt(variance + self.epsilon)
        shift = beta - mean * scale
        if self.norm_format is None:
            rest = ops.stop_gradient(fake.constant(self.shift_format, shift) - shift)
            return y + ops.cast(rest, y.dtype)
        # The fused kernel has normalised with scale and shift already. What their formats change is
        # one more product and sum, which saves a normalisation out of single operations.
        rounded = fake.constant(self.norm_format, scale)
        ratio = rounded / ops.where(scale == 0.0, 1.0, scale)
        rest = fake.constant(self.shift_format, beta - mean * rounded) - shift * ratio
        return fake.corrected(
            self.norm_format, y, ops.stop_gradient(ratio), ops.stop_gradient(rest)
        )

    def by_running(
        self, x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor
    ) -> Tensor:
        """As `BatchNorm.by_running`: one product and one sum, rounded to float32 once."""
        gamma, beta, mean, variance = (
            ops.cast(part, DOUBLE) for part in (gamma, beta, mean, variance)
        )
        scale = ops.cast(gamma / ops.sqrt(variance + self.epsilon), "float32")
        scale = fake.constant(self.norm_format, scale)
        shift = ops.cast(beta - mean * ops.cast(scale, DOUBLE), "float32")
        shift = fake.constant(self.shift_format, shift)
        y = fake.scaled_and_shifted(x, scale, shift)
        return ops.cast(fake.constant(self.norm_format, y), x.dtype)

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {**super().get_config(), **self._texts}
