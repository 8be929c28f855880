"""Fake quantisation: the values that a number format has, with gradients that pass the rounding.

The gradient of rounding is 0 nearly everywhere. A *straight-through estimator* takes that of the
identity (Bengio et al. 2013, arXiv 1308.3432, section 4). Weights pass it everywhere, as in
BinaryConnect (Courbariaux et al. 2015, arXiv 1511.00363). Activations pass it within the range of
their format, as in BinaryNet (Hubara et al. 2016, arXiv 1602.02830, section 1.3) and DoReFa-Net
(Zhou et al. 2016, arXiv 1606.06160). Numbers with a learned scale have the gradients of LSQ (Esser
et al. 2020, arXiv 1902.08153). `nas.architecture.number_formats` says what each code is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from nas.architecture.number_formats import FixedPoint, NumberFormat, ScaledInteger, code_range
from nas.architecture.scales import LEAST_MULTIPLE, LEAST_SCALE, is_sign, range_scale
from nas.layers.fast import (
    DOUBLE,
    Tensor,
    dot,
    kept_divisor,
    mean_in_double,
    pass_within,
    pass_within_scaled,
)


def codes(number_format: NumberFormat, x: Tensor, scale: Tensor | float) -> Tensor:
    """Values -> codes, as `nas.architecture.number_formats.codes`, but in float32.

    Args:
        number_format: Of the codes.
        x: Float32 of any shape.
        scale: Above 0; of fixed point its step.
    """
    if is_sign(number_format):
        return ops.where(x >= 0, 1.0, -1.0)
    low, high = code_range(number_format)
    if isinstance(number_format, ScaledInteger):
        scale = kept_divisor(scale) if isinstance(scale, float) else scale
        return ops.clip(ops.round(x / scale), low, high)
    # The step is a power of two: the product is exact.
    quotient = x * (1.0 / number_format.step)
    is_truncated = number_format.rounding == "truncate"
    whole = ops.floor(quotient) if is_truncated else ops.round(quotient)
    if number_format.overflow == "saturate":
        return ops.clip(whole, low, high)
    return _wrapped(whole, number_format.total)


def _wrapped(whole: Tensor, bits: int) -> Tensor:
    """Whole numbers modulo 2^bits, from -2^(bits-1); every step is exact in float32."""
    count = 2.0**bits
    rest = whole - count * ops.floor(whole * (1.0 / count))
    return ops.where(rest >= count / 2, rest - count, rest)


def activations(number_format: NumberFormat, x: Tensor) -> Tensor:
    """What a layer reads, with a fixed scale; the gradient passes within the range.

    Numbers that wrap around have no range that they leave, and pass it everywhere.

    Args:
        number_format: Without a learned scale.
        x: Float32 of any shape.
    """
    scale = range_scale(number_format)
    low, high = (code * scale for code in code_range(number_format))

    def forward(values: Tensor) -> Tensor:
        found = codes(number_format, values, scale)
        return found if scale == 1.0 else found * scale

    is_wrapping = isinstance(number_format, FixedPoint) and number_format.overflow == "wrap"

    def function(values: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        def gradient(*parts: Tensor, upstream: Tensor | None = None) -> Tensor:
            # PyTorch names what comes from above, the others give nothing else.
            above = parts[0] if upstream is None else upstream
            return above if is_wrapping else pass_within(above, values, low, high)

        return forward(values), gradient

    return ops.custom_gradient(function)(x)


def corrected(number_format: FixedPoint, y: Tensor, ratio: Tensor, rest: Tensor) -> Tensor:
    """Y * ratio + rest in fixed point; the gradient of y passes within the range.

    Args:
        number_format: Of the result.
        y: (..., channels).
        ratio: (channels,) constants.
        rest: (channels,) constants.
    """
    scale = number_format.step
    low, high = (code * scale for code in code_range(number_format))

    def function(y: Tensor, ratio: Tensor, rest: Tensor) -> tuple[Tensor, Callable[..., Any]]:
        values = ops.cast(y, "float32") * ratio + rest

        def gradient(*parts: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, ...]:
            above = parts[0] if upstream is None else upstream
            if number_format.overflow == "saturate":
                above = ops.cast(
                    pass_within(ops.cast(above, "float32"), values, low, high), y.dtype
                )
            return above, ops.zeros_like(ratio), ops.zeros_like(rest)

        return ops.cast(codes(number_format, values, scale) * scale, y.dtype), gradient

    return ops.custom_gradient(function)(y, ratio, rest)


def kernel(number_format: NumberFormat, values: Tensor, scale: Tensor | float) -> Tensor:
    """What a kernel is multiplied as, with a fixed scale; the gradient passes everywhere.

    Args:
        number_format: Without a learned scale.
        values: The kernel in float32.
        scale: From `kernel_scales`, in a shape that fits; it counts as a constant.
    """
    scale = ops.stop_gradient(ops.convert_to_tensor(scale, "float32"))
    return values + ops.stop_gradient(codes(number_format, values, scale) * scale - values)


def kernel_scales(
    number_format: NumberFormat,
    values: Tensor,
    axes: Sequence[int],
    counted: Tensor | None = None,
    is_exact: bool = False,
) -> Tensor | float:
    """As `nas.architecture.scales.kernel_scales`, with the axes kept.

    Args:
        number_format: Of the kernel.
        values: The kernel in float32.
        axes: That are reduced.
        counted: 1 where a weight counts and 0 elsewhere, with length 1 along all other axes; None
            where all of them do.
        is_exact: Whether the mean has to be that of NumPy, to the last bit.
    """
    if isinstance(number_format, FixedPoint):
        return number_format.step
    sizes = ops.abs(values) if counted is None else ops.abs(values) * counted
    if counted is not None:
        found = ops.sum(sizes, axis=axes, keepdims=True) / ops.sum(counted)
    elif not is_exact:
        found = ops.mean(sizes, axis=axes, keepdims=True)
    else:
        found = mean_in_double(sizes, axes, keepdims=True)
    if not is_sign(number_format):
        most = code_range(number_format)[1]
        reach = ops.max(sizes, axis=axes, keepdims=True) / kept_divisor(most)
        found = ops.minimum(found * (2.0 / math.sqrt(most)), reach)
    return ops.maximum(found, LEAST_SCALE)


def learned(number_format: NumberFormat, x: Tensor, scale: Tensor, numbers: Tensor | int) -> Tensor:
    """Numbers with a learned scale, and the gradients of LSQ for both.

    The gradient of the scale is divided by sqrt(numbers * greatest code), so that scales learn in
    proportion to weights. One signed bit has its sign where LSQ rounds.

    Args:
        number_format: With a learned scale.
        x: Float32 of any shape.
        scale: From `learned_scale`, in a shape that fits.
        numbers: That share the scale; of activations those of one image.
    """
    low, high = code_range(number_format)
    factor = ops.rsqrt(ops.cast(numbers, "float32") * high)

    def function(x: Tensor, scale: Tensor, factor: Tensor) -> tuple[Tensor, Callable[..., Any]]:
        quotient = x / scale
        whole = ops.round(quotient) if not is_sign(number_format) else codes(number_format, x, 1.0)
        found = ops.clip(whole, low, high)

        def gradient(*parts: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, ...]:
            above = parts[0] if upstream is None else upstream
            by_x = ops.where(ops.clip(quotient, low, high) == quotient, above, 0.0)
            by_scale = _summed_to(above * found - by_x * quotient, scale)
            return by_x, by_scale * factor, ops.zeros_like(factor)

        return found * scale, gradient

    # Outside of any graph, TensorFlow's variables are no tensors to it, and would be looked for.
    return ops.custom_gradient(function)(ops.cast(x, "float32"), scale, factor)


def _summed_to(x: Tensor, like: Tensor) -> Tensor:
    """The sum over the axes along which another tensor was repeated, in that one's shape.

    Args:
        x: Of any shape.
        like: With as many axes, each of the same length or of length 1, or with none.
    """
    if not len(like.shape):
        return ops.sum(x)
    axes = tuple(axis for axis, length in enumerate(like.shape) if length == 1)
    return ops.sum(x, axis=axes, keepdims=True)


def learned_activations(
    number_format: NumberFormat, x: Tensor, scale: Tensor, numbers: Tensor | int
) -> Tensor:
    """`learned` for one scale and large maps, which are read less often.

    The gradient of the scale is the sum of g (c - x / s within the range, c beyond it), for codes c
    and scale s. Both parts are products with tensors that there are already.

    Args:
        number_format: With a learned scale.
        x: Float32 of any shape.
        scale: One number.
        numbers: Of one image.
    """
    low, high = code_range(number_format)
    factor = ops.rsqrt(ops.cast(numbers, "float32") * high)

    def function(x: Tensor, scale: Tensor, factor: Tensor) -> tuple[Tensor, Callable[..., Any]]:
        values = codes(number_format, x, scale) * scale

        def gradient(*parts: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, ...]:
            above = parts[0] if upstream is None else upstream
            by_x = pass_within_scaled(above, x, low, high, scale, low < 0)
            by_scale = (dot(above, values) - dot(by_x, x)) / scale
            return by_x, by_scale * factor, ops.zeros_like(factor)

        return values, gradient

    return ops.custom_gradient(function)(x, scale, factor)


def learned_scale(multiple: Tensor, unit: float) -> Tensor:
    """As `nas.architecture.scales.learned_scale`.

    Args:
        multiple: The weight.
        unit: A power of two.
    """
    return ops.maximum(ops.abs(multiple), LEAST_MULTIPLE) * unit


def constant(number_format: NumberFormat | None, x: Tensor) -> Tensor:
    """Numbers in a format with a fixed scale, as they are; those of float32 stay.

    The scale of scaled whole numbers is that of `nas.architecture.scales.bias_scale`.

    Args:
        number_format: Of the numbers; None for float32.
        x: (outputs,) float32; of fixed point any shape.
    """
    if number_format is None:
        return x
    scale: Tensor | float = range_scale(number_format)
    if isinstance(number_format, ScaledInteger):
        most = kept_divisor(code_range(number_format)[1])
        scale = ops.maximum(ops.max(ops.abs(x)) / most, LEAST_SCALE)
    return codes(number_format, x, scale) * scale


def bias_values(number_format: NumberFormat, bias: Tensor) -> Tensor:
    """A bias in its format; the gradient passes everywhere.

    Args:
        number_format: Of the bias.
        bias: (outputs,) float32.
    """
    # What is added to the values is 0. The usual x + (values - x) is rounded twice and gives
    # neighbours of values that are far from x; evaluation asks for the very same numbers.
    return ops.stop_gradient(constant(number_format, bias)) + (bias - ops.stop_gradient(bias))


def scaled_and_shifted(x: Tensor, scale: Tensor, shift: Tensor | None) -> Tensor:
    """X * scale + shift, rounded to float32 once.

    The product of two float32 numbers is exact in double precision, so that no backend's fused
    product and sum can give another result than NumPy.

    Args:
        x: (..., outputs).
        scale: (outputs,) float32.
        shift: (outputs,) float32; None for none.
    """
    found = ops.cast(x, DOUBLE) * ops.cast(scale, DOUBLE)
    if shift is not None:
        found = found + ops.cast(shift, DOUBLE)
    return ops.cast(found, "float32")


@keras.saving.register_keras_serializable("stopwatch_nas")
class Within(keras.constraints.Constraint):
    """Weights cut at the ends of a range after each step, so that none gets lost beyond it.

    Source: Courbariaux et al. 2015, arXiv 1511.00363, section 2.4, for -1 to 1.

    Args:
        low: Least value.
        high: Greatest value.
    """

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __call__(self, value: Tensor) -> Tensor:
        """The values within the range."""
        return ops.clip(value, self.low, self.high)

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {"low": self.low, "high": self.high}


def weight_range(number_format: NumberFormat | None) -> Within | None:
    """The range that weights are cut at; None where their scale follows them.

    Args:
        number_format: Of the kernel.
    """
    if isinstance(number_format, FixedPoint) and number_format.overflow == "saturate":
        return Within(*(code * number_format.step for code in code_range(number_format)))
    return Within(-1.0, 1.0) if is_sign(number_format) else None
