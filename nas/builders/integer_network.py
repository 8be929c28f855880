"""A quantised network evaluated in NumPy with whole numbers, equal to Keras bit for bit.

Sums of products are those of int64. What stands between two of them is one multiplication and one
addition a channel, in double precision and rounded to float32 once; batch normalisation in fixed
point is then rounded to its format. Nothing here imports a framework.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nas.architecture import number_formats, spec
from nas.architecture.lowering import lower_architecture
from nas.architecture.number_formats import NumberFormat
from nas.architecture.operations import (
    ActivationOp,
    ConvOp,
    DenseOp,
    DropoutOp,
    FlattenOp,
    Op,
    PoolOp,
    ResidualOp,
    all_ops,
)
from nas.architecture.shapes import same_padding
from nas.builders.quantized_weights import (
    activation_scale,
    bias_values,
    kernel_codes,
    norm_scale_and_shift,
)
from nas.errors import ArchitectureError

Weights = Mapping[str, np.ndarray]

# Those that every backend computes in the same single steps of float32.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda x: x,
    "relu": lambda x: np.asarray(np.maximum(x, np.float32(0.0))),
    "relu6": lambda x: np.asarray(np.clip(x, np.float32(0.0), np.float32(6.0))),
}


def check_whole_numbers(architecture: spec.Architecture) -> None:
    """Refuses a network that is not whole numbers throughout.

    Args:
        architecture: The network.

    Raises:
        ArchitectureError: A layer multiplies numbers of float32, or has an activation that backends
            compute in different ways.
    """
    for layer in lower_architecture(architecture):
        for op in all_ops(layer.ops):
            _check(op)


def _check(op: Op) -> None:
    kinds = ConvOp | DenseOp | PoolOp | FlattenOp | DropoutOp | ActivationOp | ResidualOp
    if not isinstance(op, kinds):
        raise ArchitectureError(
            "operations of whole numbers",
            f"`{op.name}`, {type(op).__name__} of float32",
            "evaluate this network with Keras",
        )
    if isinstance(op, ConvOp | DenseOp):
        _formats(op)
    if isinstance(op, ConvOp | DenseOp | ActivationOp) and op.activation not in ACTIVATIONS:
        raise ArchitectureError(
            f"an activation of {', '.join(ACTIVATIONS)} in `{op.name}`",
            op.activation,
            "use one of these, or evaluate this network with Keras",
        )


def integer_scores(
    architecture: spec.Architecture, weights: Weights, images: np.ndarray
) -> np.ndarray:
    """Class scores of images.

    Args:
        architecture: With formats of weights and activations throughout.
        weights: Named as in `nas.architecture.weights`.
        images: (batch, height, width, 3), pixels 0 to 255.

    Returns:
        (batch, classes) float32, or the last map of a network without a classifier.

    Raises:
        ArchitectureError: As `check_whole_numbers`.
    """
    check_whole_numbers(architecture)
    x = images.astype(np.float32) * np.float32(spec.PIXEL_SCALE) + np.float32(spec.PIXEL_OFFSET)
    for layer in lower_architecture(architecture):
        for op in layer.ops:
            x = _run(op, x, weights)
    return x


def _run(op: Op, x: np.ndarray, weights: Weights) -> np.ndarray:
    match op:
        case ConvOp() | DenseOp():
            x = _multiplied(op, x, weights)
            if isinstance(op, DenseOp) and op.scale != 1:
                x = x * np.float32(op.scale)
            return ACTIVATIONS[op.activation](_normalised(op, x, weights))
        case PoolOp():
            return _pooled(op, x)
        case ActivationOp():
            return ACTIVATIONS[op.activation](x)
        case FlattenOp():
            return x.reshape(len(x), -1)
        case ResidualOp():
            ways = [x, x]
            for place, inside in enumerate((op.shortcut, op.body)):
                for inner in inside:
                    ways[place] = _run(inner, ways[place], weights)
            return np.asarray(ways[0] + ways[1])
    return x  # dropout


def _multiplied(op: ConvOp | DenseOp, x: np.ndarray, weights: Weights) -> np.ndarray:
    """Codes times codes, then scale and bias."""
    _, read = _formats(op)
    kernel, kernel_scale = kernel_codes(op, weights)
    scale = np.asarray(activation_scale(op, weights))
    is_fixed = isinstance(read, number_formats.FixedPoint)
    whole = number_formats.codes(read, x, None if is_fixed else scale)
    sums = whole @ kernel if isinstance(op, DenseOp) else _convolved(op, whole, kernel)
    return scaled_and_shifted(
        sums, kernel_scale * scale, bias_values(op, weights) if op.bias else None
    )


def _formats(op: ConvOp | DenseOp) -> tuple[NumberFormat, NumberFormat]:
    """Formats of the kernel and of what is read.

    Raises:
        ArchitectureError: One of them is float32.
    """
    formats = op.formats
    if formats.weights is None or formats.activations is None:
        raise ArchitectureError(
            f"formats of the weights and of the activations of `{op.name}`",
            "float32",
            "write both (`wq`, `aq`), or evaluate this network with Keras",
        )
    return formats.weights, formats.activations


def _convolved(op: ConvOp, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A convolution of whole numbers; what is padded is the number 0."""
    padding = [
        (0, 0) if op.valid else same_padding(size, op.kernel, op.stride) for size in x.shape[1:3]
    ]
    x = np.pad(x, ((0, 0), *padding, (0, 0)))
    windows = sliding_window_view(x, (op.kernel, op.kernel), axis=(1, 2))
    windows = windows[:, :: op.stride, :: op.stride]  # (batch, height, width, in, k, k)
    if op.depthwise:
        return np.asarray(np.einsum("bhwckl,klc->bhwc", windows, kernel[:, :, 0, :]))
    return np.asarray(np.tensordot(windows, kernel, axes=((3, 4, 5), (2, 0, 1))))


def scaled_and_shifted(x: np.ndarray, scale: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
    """X * scale + shift in double precision, rounded to float32 once.

    Args:
        x: (..., outputs).
        scale: (outputs,) float32.
        shift: (outputs,) float32; None for none.
    """
    found = x.astype(np.float64) * scale.astype(np.float64)
    if shift is not None:
        found = found + shift.astype(np.float64)
    return np.asarray(found, np.float32)


def _normalised(op: ConvOp | DenseOp, x: np.ndarray, weights: Weights) -> np.ndarray:
    """Batch normalisation as one product and one sum, in its format where it has one."""
    if not op.batch_norm:
        return x
    y = scaled_and_shifted(x, *norm_scale_and_shift(op, weights))
    norm = op.formats.norm
    return y if norm is None else number_formats.values(norm, number_formats.codes(norm, y))


def _pooled(op: PoolOp, x: np.ndarray) -> np.ndarray:
    if op.kind == "mean":
        return np.asarray(x.mean(axis=(1, 2), dtype=np.float64), np.float32)
    height, width = op.output_shape[:2]
    windows = x[:, : height * op.size, : width * op.size]
    windows = windows.reshape(len(x), height, op.size, width, op.size, x.shape[-1])
    if op.kind == "max":
        return np.asarray(windows.max(axis=(2, 4)))
    return np.asarray(windows.mean(axis=(2, 4), dtype=np.float64), np.float32)
