"""The number formats of one operation as options that gates choose from or mix.

A convolution is linear in its kernel: the mixture of quantised kernels is one kernel, and one
convolution serves all options (Cai and Vasconcelos 2020, arXiv 2004.05795, section 3.3). What is
read is mixed likewise. Each learned scale of what is read belongs to one option.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from nas.architecture.number_formats import NumberFormat, format_text, parse_format
from nas.architecture.scales import activation_unit, first_scale, is_learned
from nas.layers import fake_quantization as fake
from nas.layers.drawn_formats import FormatTable
from nas.layers.fast import Tensor
from nas.layers.quantized_layer import check_half_precision

# PyTorch has no gradients of a branch that did not run: there all options are computed.
SWITCHES = keras.backend.backend() != "torch"
Option = Callable[[Tensor], Tensor]


def mixed(options: Sequence[Option], x: Tensor, gate: Tensor, is_sampled: bool) -> Tensor:
    """What gates make of the forms of a tensor.

    Args:
        options: Each gives one form, of the same shape.
        x: What they are of.
        gate: (options,), one-hot for a network that exists.
        is_sampled: Whether the drawn form alone is computed; the gate then gets no gradient.
    """
    if len(options) == 1:
        return options[0](x)
    if is_sampled and SWITCHES:
        branches = [partial(option, x) for option in options]
        return ops.switch(ops.cast(ops.argmax(gate), "int32"), branches)
    parts = [option(x) * ops.cast(gate[i], x.dtype) for i, option in enumerate(options)]
    return sum(parts[1:], parts[0])


def common_range(formats: Sequence[NumberFormat | None]) -> fake.Within | None:
    """The range that weights of several formats are cut at; None where one has no end.

    Args:
        formats: Of the kernel.
    """
    ranges = [fake.weight_range(one) for one in formats]
    known = [one for one in ranges if one is not None]
    if len(known) < len(ranges):
        return None
    return fake.Within(min(one.low for one in known), max(one.high for one in known))


@keras.saving.register_keras_serializable("stopwatch_nas")
class MixedFormats(keras.layers.Layer):
    """Quantises what an operation reads and its kernel, as gates say.

    It is no step of a network by itself: the layer that multiplies calls `read` and `kernel`.

    Args:
        weights: Formats of the kernel, as `nas.architecture.number_formats` writes them; one an
            option, without learned scales.
        activations: Of what the operation reads, likewise, with fixed or learned scales.
        axes: Of the kernel, those that the sum of an output runs over.
    """

    def __init__(
        self,
        weights: Sequence[str],
        activations: Sequence[str],
        axes: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.weights_formats = tuple(map(parse_format, weights))
        self.activations_formats = tuple(map(parse_format, activations))
        self._axes = tuple(axes)
        # Where one quantiser has all formats, a drawn one needs no branch for each of them.
        self._weights_table = FormatTable.of(self.weights_formats)
        self._activations_table = FormatTable.of(self.activations_formats)
        # For one call outside of any graph; see `nas.training.first_scales`.
        self.sets_scales = False

    def build(self, input_shape: Any = None) -> None:
        """Makes the learned scales, one an option."""
        del input_shape  # a scale is one number, whatever is read
        check_half_precision(
            self.name, self.compute_dtype, (*self.weights_formats, *self.activations_formats)
        )
        if self.has_learned_scales:
            self.scales = self.add_weight(
                name="activations_scale",
                shape=(len(self.activations_formats),),
                initializer="ones",
                autocast=False,
            )
        self.built = True

    @property
    def has_learned_scales(self) -> bool:
        """Whether any scale is a weight."""
        return any(map(is_learned, self.activations_formats))

    def read(
        self, x: Tensor, gate: Tensor, is_sampled: bool, channels: Tensor | int | None = None
    ) -> Tensor:
        """What is read, in the drawn format.

        Args:
            x: (batch, ..., channels) in any type.
            gate: Of the formats of what is read.
            is_sampled: Whether gates get no gradient.
            channels: How many of the channels belong to the drawn network; None for all of them.
        """
        exact = ops.cast(x, "float32")
        if self.sets_scales:
            self._set_scales(exact)
        shape = ops.shape(exact)[1:]
        # LSQ looks at the numbers that share a scale; those that are masked do not.
        numbers = math.prod(shape[:-1]) * ops.cast(
            shape[-1] if channels is None else channels, "float32"
        )
        if is_sampled and self._activations_table is not None:
            multiples = self.scales if self.has_learned_scales else None
            found = self._activations_table.read(exact, ops.argmax(gate), multiples, numbers)
            return ops.cast(found, self.compute_dtype)
        options = [partial(self._read_as, i, numbers) for i in range(len(self.activations_formats))]
        return ops.cast(mixed(options, exact, gate, is_sampled), self.compute_dtype)

    def _read_as(self, place: int, numbers: Tensor, x: Tensor) -> Tensor:
        found = self.activations_formats[place]
        if found is None:
            return x
        if not is_learned(found):
            return fake.activations(found, x)
        scale = fake.learned_scale(self.scales[place], activation_unit(found))
        return fake.learned_activations(found, x, scale, numbers)

    def kernel(
        self, values: Tensor, gate: Tensor, is_sampled: bool, counted: Tensor | None = None
    ) -> Tensor:
        """What a kernel is multiplied as, in the drawn format.

        Args:
            values: The kernel, or what an option has of it, in float32.
            gate: Of the formats of the kernel.
            is_sampled: Whether gates get no gradient.
            counted: 1 where a weight belongs to the drawn network and 0 elsewhere, in a shape that
                fits, with length 1 along all axes that outputs stand on; None for all weights.
        """
        values = ops.cast(values, "float32")
        if counted is not None:
            # Gates that learn may leave a mask a rounding away from 0 and 1.
            counted = ops.stop_gradient(ops.round(ops.cast(counted, "float32")))
        if is_sampled and self._weights_table is not None:
            place = ops.argmax(gate)
            found = self._weights_table.kernel(values, place, self._axes, counted)
            return ops.cast(found, self.compute_dtype)
        options = [partial(self._multiplied_as, one, counted) for one in self.weights_formats]
        return ops.cast(mixed(options, values, gate, is_sampled), self.compute_dtype)

    def _multiplied_as(
        self, found: NumberFormat | None, counted: Tensor | None, values: Tensor
    ) -> Tensor:
        if found is None:
            return values
        return fake.kernel(found, values, fake.kernel_scales(found, values, self._axes, counted))

    def weights_of(self, name: str, place: int) -> dict[str, np.ndarray]:
        """The scales of one option, as a network of its own has them.

        Args:
            name: Of the operation.
            place: Of the option of what is read.

        Returns:
            Arrays under the names of `nas.architecture.weights`; none where nothing is learned.
        """
        if not is_learned(self.activations_formats[place]):
            return {}
        scales = np.asarray(ops.convert_to_numpy(self.scales), np.float32)
        return {f"{name}.activations.scale": scales[place]}

    def _set_scales(self, x: Tensor) -> None:
        """Sets the learned scales of all options by what the operation reads."""
        if not self.has_learned_scales:
            return
        size = ops.mean(ops.abs(x))
        found = [
            first_scale(one, size) / activation_unit(one) if is_learned(one) else ops.ones(())
            for one in self.activations_formats
        ]
        self.scales.assign(ops.stack(found))

    def call(self, inputs: Tensor) -> Tensor:
        """Formats are applied by `read` and `kernel`, not called."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {
            **super().get_config(),
            "weights": tuple(map(format_text, self.weights_formats)),
            "activations": tuple(map(format_text, self.activations_formats)),
            "axes": self._axes,
        }
