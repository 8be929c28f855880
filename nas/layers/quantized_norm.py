"""Batch normalisation behind quantised layers: exact in evaluation, or all in fixed point."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nas.architecture.number_formats import FLOAT32, FixedPoint, parse_format
from nas.errors import InputError
from nas.layers import fake_quantization as fake
from nas.layers.batch_norm import BatchNorm
from nas.layers.fast import DOUBLE, Tensor


@keras.saving.register_keras_serializable("stopwatch_nas")
class QuantizedBatchNorm(BatchNorm):
    """Batch normalisation as one multiplication and one addition a channel.

    With a format, scale, shift and output are numbers of it, as in the networks of triggers (Duarte
    et al. 2018, arXiv 1804.06913; Coelho et al. 2021, arXiv 2006.10159). Without one, scale and
    shift are float32: they are folded into what the sums are multiplied with and what is added.
    Gradients are those of the normalisation without any format, within the range of the output.

    Args:
        norm_format: Fixed point, or `float32`.
        **kwargs: Of `BatchNorm`.
    """

    def __init__(self, *args: Any, norm_format: str = FLOAT32, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.norm_format = parse_format(norm_format)
        if not isinstance(self.norm_format, FixedPoint | None):
            raise InputError(
                "a fixed-point format of batch normalisation, such as `f16.6`",
                norm_format,
                "write a fixed-point norm_format, or `float32`",
            )
        self._text = norm_format

    def _by_batch(self, x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, mean, variance = super()._by_batch(x, gamma, beta)
        if self.norm_format is None:
            return y, mean, variance
        scale = gamma * ops.rsqrt(variance + self.epsilon)
        shift = beta - mean * scale
        # The fused kernel has normalised with scale and shift already. What their formats change is
        # one more product and sum, which saves a normalisation out of single operations.
        ratio = ops.where(scale == 0.0, 0.0, self._rounded(scale) / scale)
        rest = self._rounded(shift) - shift * ratio
        y = fake.corrected(self.norm_format, y, ops.stop_gradient(ratio), ops.stop_gradient(rest))
        return y, mean, variance

    def _by_running(
        self, x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor
    ) -> Tensor:
        double = [ops.cast(part, DOUBLE) for part in (gamma, beta, mean, variance)]
        scale = double[0] / ops.sqrt(double[3] + self.epsilon)
        scale = self._rounded(ops.cast(scale, "float32"))
        shift = double[1] - double[2] * ops.cast(scale, DOUBLE)
        shift = self._rounded(ops.cast(shift, "float32"))
        y = self._rounded(fake.scaled_and_shifted(x, scale, shift))
        return ops.cast(y, x.dtype)

    def _rounded(self, x: Tensor) -> Tensor:
        """A tensor in the format, if there is one."""
        if self.norm_format is None:
            return x
        return fake.codes(self.norm_format, x, self.norm_format.step) * self.norm_format.step

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {**super().get_config(), "norm_format": self._text}
