"""Operations with number formats -> Keras layers of ours."""

from __future__ import annotations

from typing import Any

import keras

from nas.architecture import spec
from nas.architecture.number_formats import format_text
from nas.architecture.operations import ConvOp, DenseOp, Formats
from nas.layers.quantized import QuantizedConv2D, QuantizedDense, QuantizedDepthwiseConv2D
from nas.layers.quantized_norm import QuantizedBatchNorm


def layer_name(name: str) -> str:
    """The Keras layer of an operation; PyTorch allows no dots in a module's name."""
    return name.replace(".", "_")


def quantized_layer(op: ConvOp | DenseOp) -> keras.layers.Layer:
    """The layer of an operation with formats, without normalisation and activation.

    Args:
        op: With formats.
    """
    more: dict[str, Any] = {
        "weight_format": format_text(op.formats.weights),
        "activation_format": format_text(op.formats.activations),
        "bias_format": format_text(op.formats.bias),
        "use_bias": op.bias,
        "name": layer_name(op.name),
    }
    if isinstance(op, DenseOp):
        return QuantizedDense(op.out_units, **more)
    more |= {"stride": op.stride, "padding": "valid" if op.valid else "same"}
    if op.depthwise:
        return QuantizedDepthwiseConv2D(op.kernel, **more)
    return QuantizedConv2D(op.out_channels, op.kernel, **more)


def quantized_norm(
    name: str, formats: Formats, folds_bias: bool, momentum: float
) -> keras.layers.Layer:
    """The normalisation behind an operation with formats.

    Args:
        name: Of the operation.
        formats: Of the operation.
        folds_bias: Whether its shift is what the format of a bias is for.
        momentum: Share of the running statistics kept at each step.
    """
    return QuantizedBatchNorm(
        momentum=momentum,
        epsilon=spec.BATCH_NORM_EPSILON,
        norm_format=format_text(formats.norm),
        shift_format=format_text(formats.bias if folds_bias else None),
        name=layer_name(f"{name}.bn"),
    )
