"""Weights of an operation with formats as an exported file holds them: codes and scales.

They are the numbers that `nas.builders.integer_network` multiplies, in NumPy and without a
framework.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nas.architecture import number_formats, scales, spec
from nas.architecture.number_formats import FixedPoint, NumberFormat
from nas.architecture.operations import ConvOp, DenseOp

Weights = Mapping[str, np.ndarray]


def kernel_codes(op: ConvOp | DenseOp, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """What a kernel is multiplied as.

    Args:
        op: With a format of its weights, or without: the kernel is then its own codes.
        weights: Named as in `nas.architecture.weights`.

    Returns:
        Whole numbers in the kernel's shape, and (outputs,) float32 scales.
    """
    kernel = np.asarray(weights[f"{op.name}.kernel"], np.float32)
    columns = kernel.reshape(-1, kernel.shape[-1])
    found = op.formats.weights
    if found is None:
        return kernel, np.ones(columns.shape[1], np.float32)
    if scales.is_learned(found):
        unit = scales.kernel_unit(found, scales.inputs_of(op))
        scale = np.asarray(scales.learned_scale(weights[f"{op.name}.weights.scale"], unit))
    else:
        scale = scales.kernel_scales(found, columns)
    step = None if isinstance(found, FixedPoint) else scale
    return number_formats.codes(found, columns, step).reshape(kernel.shape), scale


def activation_scale(op: ConvOp | DenseOp, weights: Weights) -> np.float32:
    """The scale of the codes that an operation reads; 1 where it reads float32.

    Args:
        op: With or without a format of its activations.
        weights: Named as in `nas.architecture.weights`.
    """
    found = op.formats.activations
    if found is None:
        return np.float32(1.0)
    if not scales.is_learned(found):
        return np.float32(scales.range_scale(found))
    unit = scales.activation_unit(found)
    return np.float32(scales.learned_scale(weights[f"{op.name}.activations.scale"], unit))


def bias_values(op: ConvOp | DenseOp, weights: Weights) -> np.ndarray:
    """The bias in its format.

    Args:
        op: With a bias.
        weights: Named as in `nas.architecture.weights`.
    """
    return _in_format(op.formats.bias, np.asarray(weights[f"{op.name}.bias"], np.float32))


def norm_scale_and_shift(op: ConvOp | DenseOp, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """Batch normalisation as one factor and one summand a channel, in its formats.

    Args:
        op: With batch normalisation.
        weights: Named as in `nas.architecture.weights`.
    """
    norm, shift_format = op.formats.norm, op.formats.norm
    if op.formats.bias is not None and not op.bias:
        shift_format = op.formats.bias  # the shift is the bias that the operation has
    gamma, beta, mean, variance = (
        np.asarray(weights[f"{op.name}.{kind}"], np.float64)
        for kind in ("gamma", "beta", "mean", "variance")
    )
    scale = gamma / np.sqrt(variance + spec.BATCH_NORM_EPSILON)
    scale = _in_format(norm, scale.astype(np.float32))
    shift = (beta - mean * scale.astype(np.float64)).astype(np.float32)
    return scale, _in_format(shift_format, shift)


def _in_format(number_format: NumberFormat | None, x: np.ndarray) -> np.ndarray:
    """The values that a format has in place of others; those of float32 stay."""
    if number_format is None:
        return x
    is_fixed = isinstance(number_format, FixedPoint)
    scale = None if is_fixed else scales.bias_scale(number_format, x)
    whole = number_formats.codes(number_format, x, scale)
    return number_formats.values(number_format, whole, scale)
