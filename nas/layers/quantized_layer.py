"""What layers have in common that multiply numbers of few bits.

In training, the products are those of fake-quantised float32 numbers. In evaluation, whole numbers
are multiplied: their sums are exact, and scale and bias come behind them, rounded once.
`nas.builders.integer_network` computes the same numbers bit for bit in NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from nas.architecture.number_formats import FLOAT32, NumberFormat, parse_format
from nas.architecture.scales import (
    EXACT_IN_SINGLE,
    activation_unit,
    check_sums,
    first_scale,
    is_learned,
    kernel_unit,
    most_size,
    range_scale,
)
from nas.errors import InputError
from nas.layers import fake_quantization as fake
from nas.layers.fast import DOUBLE, Tensor

# GPUs may round what they multiply in float32 to TensorFloat-32, which has these whole numbers.
EXACT_IN_PRODUCTS = 2**11
# Bits of codes that numbers of half precision keep.
HALF_BITS = {"bfloat16": 8, "float16": 11}


def check_half_precision(name: str, dtype: str, formats: Iterable[NumberFormat | None]) -> None:
    """Refuses formats whose codes numbers of half precision cannot hold.

    Args:
        name: Of the layer.
        dtype: That it multiplies in.
        formats: Of its numbers.

    Raises:
        InputError: One has too many bits.
    """
    most = HALF_BITS.get(dtype)
    for part in formats:
        if most is not None and part is not None and part.bits > most:
            raise InputError(
                f"formats of at most {most} bits in `{name}` with {dtype}",
                part.text,
                "leave --mixed_precision out, or write formats of fewer bits",
            )


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
        # For one call outside of any graph; see `nas.training.first_scales`.
        self.sets_scales = False
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
        most = check_sums(self.name, self.weight_format, self.activation_format, inputs)
        parts = (self.weight_format, self.activation_format)
        is_narrow = all(part is None or most_size(part) <= EXACT_IN_PRODUCTS for part in parts)
        self._precision = "float32" if is_narrow and most <= EXACT_IN_SINGLE else DOUBLE
        check_half_precision(self.name, self.compute_dtype, parts)
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
            self.weights_scale = self._scale("weights_scale", (outputs,))
        if is_learned(self.activation_format):
            self.activations_scale = self._scale("activations_scale", ())

    def _scale(self, name: str, shape: tuple[int, ...]) -> Any:
        return self.add_weight(name=name, shape=shape, initializer="ones", autocast=False)

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
        if self.sets_scales:
            self._set_scales(x)
        if training or self.weight_format is None or self.activation_format is None:
            return self._trained(x)
        found = self._evaluated(x, self.weight_format, self.activation_format)
        return ops.cast(found, self.compute_dtype)

    def _trained(self, x: Tensor) -> Tensor:
        x, kernel = self._read(x), self._multiplied()
        y = self.product(ops.cast(x, self.compute_dtype), ops.cast(kernel, self.compute_dtype))
        return y + ops.cast(self._bias(), y.dtype) if self.use_bias else y

    def _read(self, x: Tensor) -> Tensor:
        found = self.activation_format
        if found is None:
            return x
        if not is_learned(found):
            return fake.activations(found, x)
        numbers = math.prod(ops.shape(x)[1:])
        return fake.learned_activations(found, x, self._activation_scale(found), numbers)

    def _multiplied(self) -> Tensor:
        kernel, found = ops.convert_to_tensor(self.kernel), self.weight_format
        if found is None:
            return kernel
        scale = self._kernel_scale(found, kernel)
        if is_learned(found):
            return fake.learned(found, kernel, scale, self._inputs)
        return fake.kernel(found, kernel, scale)

    def _bias(self) -> Tensor:
        bias = ops.convert_to_tensor(self.bias)
        return bias if self.bias_format is None else fake.bias_values(self.bias_format, bias)

    def _activation_scale(self, found: NumberFormat) -> Tensor | float:
        if is_learned(found):
            return fake.learned_scale(self.activations_scale, activation_unit(found))
        return range_scale(found)

    def _kernel_scale(
        self, found: NumberFormat, kernel: Tensor, is_exact: bool = False
    ) -> Tensor | float:
        if is_learned(found):
            scale = fake.learned_scale(self.weights_scale, kernel_unit(found, self._inputs))
            return ops.reshape(scale, self._outputs_shape)
        return fake.kernel_scales(found, kernel, self._axes, is_exact=is_exact)

    def _evaluated(self, x: Tensor, weights: NumberFormat, activations: NumberFormat) -> Tensor:
        """Whole numbers times whole numbers, then scale and bias."""
        kernel = ops.convert_to_tensor(self.kernel)
        kernel_scale = self._kernel_scale(weights, kernel, is_exact=True)
        activation_scale = self._activation_scale(activations)
        sums = self.product(
            ops.cast(fake.codes(activations, x, activation_scale), self._precision),
            ops.cast(fake.codes(weights, kernel, kernel_scale), self._precision),
        )
        # Convolutions by transforms, which GPUs have, give whole numbers but for roundings.
        sums = ops.round(sums)
        scale = ops.convert_to_tensor(kernel_scale, "float32") * activation_scale
        bias = self._bias() if self.use_bias else None
        return fake.scaled_and_shifted(sums, ops.reshape(scale, (-1,)), bias)

    @property
    def has_learned_scales(self) -> bool:
        """Whether any scale is a weight."""
        return is_learned(self.weight_format) or is_learned(self.activation_format)

    def _set_scales(self, x: Tensor) -> None:
        """Sets learned scales by the kernel and by what the layer reads."""
        if is_learned(self.weight_format):
            sizes = ops.mean(ops.abs(ops.convert_to_tensor(self.kernel)), axis=self._axes)
            unit = kernel_unit(self.weight_format, self._inputs)
            self.weights_scale.assign(first_scale(self.weight_format, sizes) / unit)
        if is_learned(self.activation_format):
            size = ops.mean(ops.abs(ops.cast(x, "float32")))
            unit = activation_unit(self.activation_format)
            self.activations_scale.assign(first_scale(self.activation_format, size) / unit)

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {**super().get_config(), **self._texts}
