"""Number formats as rows of numbers: one quantiser serves whichever format is drawn.

A branch an option would say the same. TensorFlow takes 6 times as long to build the graph of such
branches, and 31 s of them for the space `tiny`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from nas.architecture.number_formats import FixedPoint, NumberFormat, ScaledInteger, code_range
from nas.architecture.scales import (
    LEAST_MULTIPLE,
    LEAST_SCALE,
    activation_unit,
    is_learned,
    is_sign,
    range_scale,
)
from nas.layers.fast import Tensor, dot, pass_within_scaled, reference_pass_within


@dataclass(frozen=True)
class FormatTable:
    """Formats of one kind, and float32 among them.

    Args:
        low: (options,) least codes.
        high: (options,) greatest codes.
        steps: (options,) fixed scales of what is read, or the units of learned ones.
        is_float: (options,) whether an option is float32.
        is_learned: Whether scales are weights.
        is_fixed_point: Whether the steps are those of fixed point, for kernels as well.
    """

    low: np.ndarray
    high: np.ndarray
    steps: np.ndarray
    is_float: np.ndarray
    is_learned: bool
    is_fixed_point: bool

    @classmethod
    def of(cls, formats: Sequence[NumberFormat | None]) -> FormatTable | None:
        """The table of formats; None where no one quantiser has all of them.

        Args:
            formats: One an option; None for float32.
        """
        known = [one for one in formats if one is not None]
        kinds = {_kind(one) for one in known}
        if len(kinds) != 1 or None in kinds:
            return None
        (first, *_) = known
        rows = [one or first for one in formats]  # the numbers of float32 are not looked at
        ranges = np.array([code_range(one) for one in rows], np.float32)
        unit = activation_unit if is_learned(first) else range_scale
        return cls(
            ranges[:, 0],
            ranges[:, 1],
            np.array([unit(one) for one in rows], np.float32),
            np.array([one is None for one in formats]),
            is_learned(first),
            isinstance(first, FixedPoint),
        )

    def read(self, x: Tensor, place: Tensor, multiples: Tensor | None, numbers: Tensor) -> Tensor:
        """What is read, in the drawn format; gradients as in `nas.layers.fake_quantization`.

        Args:
            x: Float32 of any shape.
            place: Of the drawn format.
            multiples: (options,) weights of learned scales; None where they are fixed.
            numbers: That share a learned scale.
        """
        scale = ops.take(ops.convert_to_tensor(self.steps), place)
        if multiples is not None:
            multiple = ops.take(ops.convert_to_tensor(multiples), place)
            scale = ops.maximum(ops.abs(multiple), LEAST_MULTIPLE) * scale
        low, high = ops.take(self.low, place), ops.take(self.high, place)
        factor = ops.rsqrt(ops.cast(numbers, "float32") * high)
        found = self._quantised(x, scale, low, high, factor)
        return self._or_float(found, x, place)

    def _quantised(
        self, x: Tensor, scale: Tensor, low: Tensor, high: Tensor, factor: Tensor
    ) -> Tensor:
        def function(
            x: Tensor, scale: Tensor, low: Tensor, high: Tensor, factor: Tensor
        ) -> tuple[Tensor, Callable[..., Any]]:
            values = ops.clip(ops.round(x / scale), low, high) * scale

            def gradient(*parts: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, ...]:
                # PyTorch names what comes from above, the others give nothing else.
                above = parts[0] if upstream is None else upstream
                nothing = (ops.zeros_like(low), ops.zeros_like(high), ops.zeros_like(factor))
                if not self.is_learned:
                    by_x = reference_pass_within(above, x, low * scale, high * scale)
                    return by_x, ops.zeros_like(scale), *nothing
                is_symmetric = bool(self.low[0] < 0)
                by_x = pass_within_scaled(above, x, low, high, scale, is_symmetric)
                by_scale = (dot(above, values) - dot(by_x, x)) / scale
                return by_x, by_scale * factor, *nothing

            return values, gradient

        return ops.custom_gradient(function)(x, scale, low, high, factor)

    def kernel(
        self, values: Tensor, place: Tensor, axes: Sequence[int], counted: Tensor | None
    ) -> Tensor:
        """What a kernel is multiplied as, in the drawn format; the gradient passes everywhere.

        Args:
            values: The kernel in float32.
            place: Of the drawn format.
            axes: That the sum of an output runs over.
            counted: As `nas.layers.fake_quantization.kernel_scales` takes it.
        """
        low, high = ops.take(self.low, place), ops.take(self.high, place)
        if self.is_fixed_point:
            scale = ops.take(ops.convert_to_tensor(self.steps), place)
        else:
            scale = _scales(values, high, axes, counted)
        found = ops.clip(ops.round(values / scale), low, high) * scale
        return values + ops.stop_gradient(self._or_float(found, values, place) - values)

    def _or_float(self, found: Tensor, x: Tensor, place: Tensor) -> Tensor:
        if not self.is_float.any():
            return found
        return ops.where(ops.take(self.is_float, place), x, found)


def _kind(one: NumberFormat) -> tuple[str, bool] | None:
    """What formats have alike that differ in their range and scale alone."""
    if isinstance(one, ScaledInteger):
        return None if is_sign(one) else (one.scale, one.signed)
    is_plain = one.rounding == "round" and one.overflow == "saturate"
    return ("fixed point", True) if is_plain else None


def _scales(values: Tensor, most: Tensor, axes: Sequence[int], counted: Tensor | None) -> Tensor:
    """As `nas.layers.fake_quantization.kernel_scales`, for a greatest code that is drawn."""
    sizes = ops.abs(values) if counted is None else ops.abs(values) * counted
    if counted is None:
        mean = ops.mean(sizes, axis=axes, keepdims=True)
    else:
        mean = ops.sum(sizes, axis=axes, keepdims=True) / ops.sum(counted)
    reach = ops.max(sizes, axis=axes, keepdims=True) / most
    found = ops.minimum(mean * (2.0 * ops.rsqrt(most)), reach)
    return ops.stop_gradient(ops.maximum(found, LEAST_SCALE))
