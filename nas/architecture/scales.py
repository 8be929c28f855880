"""Scales of scaled whole numbers: where they come from, in NumPy and without a framework.

A *fixed* scale follows from the kernel at each step, or from the range that activations have. A
*learned* scale is a weight. It is kept as a multiple of a power of two that only the operation
decides: optimizers whose steps do not follow a weight's size, such as Adam, would else change a
small scale by more than itself. Jain et al. 2020, arXiv 1903.08066, learn its logarithm for the
same reason, which whole numbers would not compute exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeGuard

import numpy as np

from nas.architecture.number_formats import FixedPoint, NumberFormat, ScaledInteger, code_range
from nas.architecture.operations import ConvOp, DenseOp, Op
from nas.errors import ArchitectureError

# Every whole number up to these sizes is a float32 or a float64 of its own.
EXACT_IN_SINGLE, EXACT_IN_DOUBLE = 2**24, 2**53
LEAST_SCALE = 2.0**-100  # of a kernel of zeros; its quotients stay finite in float32
LEAST_MULTIPLE = 2.0**-12  # of a learned scale
MEAN_SIZE = 0.8  # mean |x| of normal numbers whose standard deviation is 1


def is_sign(number_format: NumberFormat | None) -> bool:
    """Whether codes are -1 and +1 alone."""
    if not isinstance(number_format, ScaledInteger):
        return False
    return number_format.signed and number_format.bits == 1


def is_learned(number_format: NumberFormat | None) -> TypeGuard[ScaledInteger]:
    """Whether the scale is a weight."""
    return isinstance(number_format, ScaledInteger) and number_format.scale == "learned"


def range_scale(number_format: NumberFormat) -> float:
    """The fixed scale of activations: the greatest code is 1; of fixed point its step.

    Source: Zhou et al. 2016, arXiv 1606.06160, equation 5, for 0 to 1.
    """
    if isinstance(number_format, FixedPoint):
        return number_format.step
    return float(np.float32(1.0 / code_range(number_format)[1]))


def kernel_scales(number_format: NumberFormat, kernel: np.ndarray) -> np.ndarray:
    """The fixed scale of each output of a kernel.

    One bit has the mean size of the weights (Rastegari et al. 2016, arXiv 1603.05279, equation 6).
    More bits have the scale that learned ones begin with (Esser et al. 2020, arXiv 1902.08153,
    section 2.1), or a smaller one where that reaches the largest weight.

    Args:
        number_format: Of the kernel.
        kernel: (inputs, outputs) float32.

    Returns:
        (outputs,) float32, above 0.
    """
    if isinstance(number_format, FixedPoint):
        return np.full(kernel.shape[1], number_format.step, np.float32)
    sizes = np.abs(kernel.astype(np.float32))
    # The sum of any order has the same rounding to float32.
    found = sizes.mean(axis=0, dtype=np.float64).astype(np.float32)
    if not is_sign(number_format):
        most = code_range(number_format)[1]
        reach = sizes.max(axis=0, initial=np.float32(0.0)) / np.float32(most)
        found = np.minimum(found * np.float32(2.0 / math.sqrt(most)), reach)
    return np.asarray(np.maximum(found, np.float32(LEAST_SCALE)))


def bias_scale(number_format: NumberFormat, bias: np.ndarray) -> np.ndarray:
    """The fixed scale of a bias: its largest value is the greatest code; of fixed point its step.

    Args:
        number_format: Of the bias.
        bias: (outputs,) float32.
    """
    if isinstance(number_format, FixedPoint):
        return np.asarray(number_format.step, np.float32)
    most = np.float32(code_range(number_format)[1])
    largest = np.abs(bias.astype(np.float32)).max(initial=np.float32(0.0))
    return np.asarray(np.maximum(largest / most, np.float32(LEAST_SCALE)))


def first_scale(number_format: NumberFormat, mean_size: Any) -> Any:
    """What a learned scale begins with: 2 mean |x| / sqrt(greatest code), or mean |x| for signs.

    Source: Esser et al. 2020, arXiv 1902.08153, section 2.1.

    Args:
        number_format: Of the numbers.
        mean_size: Mean |x|, a number or a tensor.
    """
    if is_sign(number_format):
        return mean_size
    return mean_size * (2.0 / math.sqrt(code_range(number_format)[1]))


def scale_unit(number_format: NumberFormat, mean_size: float) -> float:
    """The power of two that a learned scale is a multiple of, and begins near.

    Args:
        number_format: Of the numbers.
        mean_size: Mean |x| that they are expected to have, above 0.
    """
    return float(2.0 ** round(math.log2(first_scale(number_format, mean_size))))


def kernel_unit(number_format: NumberFormat, inputs: int) -> float:
    """`scale_unit` of a kernel with He's initial weights.

    Args:
        number_format: Of the kernel.
        inputs: Weights of one output.
    """
    return scale_unit(number_format, MEAN_SIZE * math.sqrt(2.0 / inputs))


def activation_unit(number_format: NumberFormat) -> float:
    """`scale_unit` of activations behind batch normalisation."""
    return scale_unit(number_format, MEAN_SIZE)


def learned_scale(multiple: np.ndarray, unit: float) -> np.ndarray:
    """Weight of kind `scale` -> the scale, in float32.

    Args:
        multiple: The weight.
        unit: Of `kernel_unit` or `activation_unit`.
    """
    size = np.maximum(np.abs(np.asarray(multiple, np.float32)), np.float32(LEAST_MULTIPLE))
    return np.asarray(size * np.float32(unit), np.float32)


def inputs_of(op: ConvOp | DenseOp) -> int:
    """Weights of one output of an operation."""
    if isinstance(op, DenseOp):
        return op.in_units
    return op.kernel**2 * (1 if op.depthwise else op.in_channels)


def check_sums(
    name: str, weights: NumberFormat | None, activations: NumberFormat | None, inputs: int
) -> int:
    """The largest size of a sum of products of codes; 0 where one of them is float32.

    Args:
        name: Of the operation.
        weights: Format of its kernel.
        activations: Of what it reads.
        inputs: Products in a sum.

    Raises:
        ArchitectureError: It can be larger than double precision computes exactly.
    """
    if weights is None or activations is None:
        return 0
    most = inputs * most_size(weights) * most_size(activations)
    if most > EXACT_IN_DOUBLE:
        raise ArchitectureError(
            f"formats of `{name}` whose sums of {inputs} products are at most 2^53",
            f"{weights.text} times {activations.text}, which can reach 2^{math.log2(most):.1f}",
            "write formats of fewer bits, a smaller kernel or fewer inputs",
        )
    return most


def check_formats(ops: Iterable[Op]) -> None:
    """Refuses formats that no layer computes exactly.

    Args:
        ops: Of a network, the inside of residuals included.

    Raises:
        ArchitectureError: As `check_sums`, or a format of batch normalisation is not fixed point.
    """
    for op in ops:
        if isinstance(op, ConvOp | DenseOp):
            check_sums(op.name, op.formats.weights, op.formats.activations, inputs_of(op))
            check_norm(op.name, op.formats.norm)


def check_norm(name: str, number_format: NumberFormat | None) -> FixedPoint | None:
    """The format of batch normalisation.

    Args:
        name: Of the operation.
        number_format: That is asked for.

    Raises:
        ArchitectureError: It is not fixed point.
    """
    if isinstance(number_format, ScaledInteger):
        raise ArchitectureError(
            f"a fixed-point format of batch normalisation in `{name}`, such as `f16.6`",
            number_format.text,
            "write `nq` as fixed point, or leave it out: scale and shift are folded then",
        )
    return number_format


def most_size(number_format: NumberFormat) -> int:
    """The largest size of a code."""
    return max(-code_range(number_format)[0], code_range(number_format)[1])
