"""Convolution, depthwise convolution and dense layer on numbers of few bits."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from nas.architecture.shapes import same_output_size, valid_output_size
from nas.layers.depthwise_conv import depthwise_conv
from nas.layers.fast import Tensor, mean_in_double, pointwise_conv
from nas.layers.quantized_layer import QuantizedLayer


@keras.saving.register_keras_serializable("stopwatch_nas")
class QuantizedConv2D(QuantizedLayer):
    """A convolution on numbers of few bits.

    Args:
        filters: Output channels.
        kernel_size: Side of the kernel in pixels.
        stride: In pixels.
        padding: `same` or `valid`.
        **kwargs: Of `QuantizedLayer`.
    """

    def __init__(
        self, filters: int, kernel_size: int, stride: int = 1, padding: str = "same", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, kernel_size
        self.stride, self.padding = stride, padding

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""
        side = (self.kernel_size, self.kernel_size)
        self._build((*side, input_shape[-1], self.filters), 3, "he_normal")

    def product(self, x: Tensor, kernel: Tensor) -> Tensor:
        """The convolution, without scale and bias."""
        if self.kernel_size == self.stride == 1:
            return pointwise_conv(x, kernel)
        return ops.conv(x, kernel, self.stride, self.padding)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(batch, height, width, filters)."""
        return (*_map_shape(self, input_shape), self.filters)

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {**super().get_config(), "filters": self.filters, **_window(self)}


@keras.saving.register_keras_serializable("stopwatch_nas")
class QuantizedDepthwiseConv2D(QuantizedLayer):
    """A depthwise convolution on numbers of few bits.

    Args:
        kernel_size: Side of the kernel in pixels.
        stride: In pixels.
        padding: `same` or `valid`.
        **kwargs: Of `QuantizedLayer`.
    """

    def __init__(
        self, kernel_size: int, stride: int = 1, padding: str = "same", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def build(self, input_shape: Any) -> None:
        """Makes the weights; the kernel is (side, side, channels, 1)."""
        side = (self.kernel_size, self.kernel_size)
        # He over the kernel's own inputs, as for depthwise convolutions of float32.
        initializer = keras.initializers.TruncatedNormal(stddev=math.sqrt(2.0) / self.kernel_size)
        self._build((*side, input_shape[-1], 1), 2, initializer)

    def product(self, x: Tensor, kernel: Tensor) -> Tensor:
        """The convolution, without scale and bias."""
        return depthwise_conv(x, kernel, self.stride, self.padding)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(batch, height, width, channels)."""
        return (*_map_shape(self, input_shape), input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {**super().get_config(), **_window(self)}


@keras.saving.register_keras_serializable("stopwatch_nas")
class QuantizedDense(QuantizedLayer):
    """A dense layer on numbers of few bits.

    Args:
        units: Outputs.
        **kwargs: Of `QuantizedLayer`.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""
        self._build((input_shape[-1], self.units), 1, "glorot_uniform")

    def product(self, x: Tensor, kernel: Tensor) -> Tensor:
        """The sums, without scale and bias."""
        return ops.matmul(x, kernel)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(batch, units)."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("stopwatch_nas")
class GlobalMean(keras.layers.Layer):
    """The mean of each channel in double precision, whatever order it is summed in."""

    def call(self, x: Tensor) -> Tensor:
        """(batch, height, width, channels) -> (batch, channels)."""
        return ops.cast(mean_in_double(ops.cast(x, "float32"), (1, 2)), x.dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(batch, channels)."""
        return input_shape[0], input_shape[-1]


def _map_shape(layer: QuantizedConv2D | QuantizedDepthwiseConv2D, before: Any) -> Any:
    """(batch, height, width) behind a convolution; an unknown size stays unknown."""
    sizes = before[1:3]
    if layer.padding == "same":
        found = (size and same_output_size(size, layer.stride) for size in sizes)
    else:
        kernel, stride = layer.kernel_size, layer.stride
        found = (size and valid_output_size(size, kernel, stride) for size in sizes)
    return before[0], *found


def _window(layer: QuantizedConv2D | QuantizedDepthwiseConv2D) -> dict[str, Any]:
    names = ("kernel_size", "stride", "padding")
    return {name: getattr(layer, name) for name in names}
