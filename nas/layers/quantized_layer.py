"""What layers have in common that multiply numbers of few bits.

In training, the products are those of fake-quantised float32 numbers. In evaluation, whole numbers
are multiplied: their sums are exact, and scale and bias come behind them, rounded once.
`nas.builders.integer_network` computes the same numbers bit for bit in NumPy.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from nas.architecture.number_formats import FLOAT32, parse_format
from nas.architecture.scales import (
    activation_unit,
    first_scale,
    is_learned,
    kernel_unit,
    most_size,
    range_scale,
)
from nas.errors import InputError
from nas.layers import fake_quantization as fake
from nas.layers.fast import DOUBLE, Tensor

# Every whole number up to these sizes is a float32 or a float64 of its own.
EXACT_IN_SINGLE, EXACT_IN_DOUBLE = 2**24, 2**53
# Bits of codes that numbers of half precision keep.
HALF_BITS = {"bfloat16": 8, "float16": 11}


class QuantizedLayer(keras.layers.Layer):
    """What the three layers have in common.

    Args:
        weight_format: Of the kernel, as `nas.architecture.number_formats` writes it.
        activation_format: Of what the layer reads.
        bias_format: Of the bias.
        use_bias: Whether there is one.
        **kwargs: Of every Keras layer.
    """

    def __init__(
        self,
        *,
        weight_format: str = FLOAT32,
        activation_format: str = FLOAT32,
        bias_format: str = FLOAT32,
        use_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.weight_format = parse_format(weight_format)
        self.activation_format = parse_format(activation_format)
        self.bias_format = parse_format(bias_format)
        self.use_bias = use_bias
        self._texts = {
            "weight_format": weight_format,
            "activation_format": activation_format,
            "bias_format": bias_format,
            "use_bias": use_bias,
        }

    def _build(self, shape: tuple[int, ...], output_axis: int, initializer: Any) -> None:
        """Makes kernel, bias and learned scales.

        Args:
            shape: Of the kernel.
            output_axis: The axis that an output's sum does not run over.
            initializer: Of the kernel.

        Raises:
            InputError: Sums of the formats can be larger than double precision computes exactly, or
                the precision of the products cannot hold the codes.
        """
        self._axes = tuple(axis for axis in range(len(shape)) if axis != output_axis)
        outputs = shape[output_axis]
        self._outputs_shape = tuple(
            outputs if axis == output_axis else 1 for axis in range(len(shape))
        )
        self._inputs = inputs = math.prod(shape) // outputs
        self._precision = self._precision_of_sums(inputs)
        self._check_half_precision()
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=initializer,
            constraint=fake.weight_range(self.weight_format),
            autocast=False,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(outputs,), initializer="zeros", autocast=False
            )
        if is_learned(self.weight_format):
            self._kernel_unit = kernel_unit(self.weight_format, inputs)
            self.weights_scale = self._scale("weights_scale", (outputs,))
        if is_learned(self.activation_format):
            self._activation_unit = activation_unit(self.activation_format)
            self.activations_scale = self._scale("activations_scale", ())

    def _scale(self, name: str, shape: tuple[int, ...]) -> Any:
        return self.add_weight(name=name, shape=shape, initializer="ones", autocast=False)

    def _precision_of_sums(self, inputs: int) -> str:
        """The type in which whole sums are exact.

        Raises:
            InputError: There is none.
        """
        if self.weight_format is None or self.activation_format is None:
            return "float32"
        most = inputs * most_size(self.weight_format) * most_size(self.activation_format)
        if most > EXACT_IN_DOUBLE:
            texts = self.weight_format.text, self.activation_format.text
            raise InputError(
                f"formats of `{self.name}` whose sums of {inputs} products are at most 2^53",
                f"{texts[0]} times {texts[1]}, which can reach 2^{math.log2(most):.1f}",
                "write formats of fewer bits, or a smaller kernel or fewer inputs",
            )
        return "float32" if most <= EXACT_IN_SINGLE else DOUBLE

    def _check_half_precision(self) -> None:
        most = HALF_BITS.get(self.compute_dtype)
        for part in (self.weight_format, self.activation_format):
            if most is not None and part is not None and part.bits > most:
                raise InputError(
                    f"formats of at most {most} bits in `{self.name}` with {self.compute_dtype}",
                    part.text,
                    "leave --mixed_precision out, or write formats of fewer bits",
                )

    def product(self, x: Tensor, kernel: Tensor) -> Tensor:
        """The sums of products, without scale and bias.

        Args:
            x: (batch, ...) in the type that is multiplied in.
            kernel: In the same type.
        """
        raise NotImplementedError

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Quantises what it reads and its kernel, and multiplies.

        Args:
            inputs: (batch, ...).
            training: Whether gradients are asked for; sums are then those of floats.
        """
        x = ops.cast(inputs, "float32")
        if training or self.weight_format is None or self.activation_format is None:
            return self._trained(x)
        found = self._evaluated(x)
        return ops.cast(found, self.compute_dtype)

    def _trained(self, x: Tensor) -> Tensor:
        x, kernel = self._read(x), self._multiplied()
        y = self.product(ops.cast(x, self.compute_dtype), ops.cast(kernel, self.compute_dtype))
        return y + ops.cast(self._bias(), y.dtype) if self.use_bias else y

    def _read(self, x: Tensor) -> Tensor:
        if self.activation_format is None:
            return x
        if not is_learned(self.activation_format):
            return fake.activations(self.activation_format, x)
        numbers = math.prod(ops.shape(x)[1:])
        return fake.learned(self.activation_format, x, self._activation_scale(), numbers)

    def _multiplied(self) -> Tensor:
        kernel = ops.convert_to_tensor(self.kernel)
        if self.weight_format is None:
            return kernel
        if is_learned(self.weight_format):
            scale = self._kernel_scale(kernel)
            return fake.learned(self.weight_format, kernel, scale, self._inputs)
        return fake.kernel(self.weight_format, kernel, self._kernel_scale(kernel))

    def _bias(self) -> Tensor:
        bias = ops.convert_to_tensor(self.bias)
        return bias if self.bias_format is None else fake.bias_values(self.bias_format, bias)

    def _activation_scale(self) -> Tensor | float:
        if is_learned(self.activation_format):
            return fake.learned_scale(self.activations_scale, self._activation_unit)
        return range_scale(self.activation_format)

    def _kernel_scale(self, kernel: Tensor, is_exact: bool = False) -> Tensor | float:
        if is_learned(self.weight_format):
            scale = fake.learned_scale(self.weights_scale, self._kernel_unit)
            return ops.reshape(scale, self._outputs_shape)
        return fake.kernel_scales(self.weight_format, kernel, self._axes, is_exact)

    def _evaluated(self, x: Tensor) -> Tensor:
        kernel = ops.convert_to_tensor(self.kernel)
        kernel_scale = self._kernel_scale(kernel, is_exact=True)
        activation_scale = self._activation_scale()
        whole = self.product(
            ops.cast(fake.codes(self.activation_format, x, activation_scale), self._precision),
            ops.cast(fake.codes(self.weight_format, kernel, kernel_scale), self._precision),
        )
        scale = ops.multiply(ops.cast(kernel_scale, "float32"), activation_scale)
        scale = ops.reshape(scale, (-1,))
        return fake.scaled_and_shifted(whole, scale, self._bias() if self.use_bias else None)

    def initialize_scales(self, x: Tensor) -> None:
        """Sets learned scales by the kernel and by what the layer reads.

        Source: Esser et al. 2020, arXiv 1902.08153, section 2.1.

        Args:
            x: (batch, ...) of the first images.
        """
        if is_learned(self.weight_format):
            sizes = ops.mean(ops.abs(ops.convert_to_tensor(self.kernel)), axis=self._axes)
            self.weights_scale.assign(first_scale(self.weight_format, sizes) / self._kernel_unit)
        if is_learned(self.activation_format):
            size = ops.mean(ops.abs(ops.cast(x, "float32")))
            begin = first_scale(self.activation_format, size)
            self.activations_scale.assign(begin / self._activation_unit)

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {**super().get_config(), **self._texts}
