"""A network of ours as HGQ2 trains it, and its bits by our definition.

HGQ2 (High Granularity Quantization 2) learns a width for each weight and for each number that is
read, by gradient. It needs Keras 3.15 and is installed by the extra `[hgq]`; nothing of the
packages imports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nas.architecture import spec
from nas.architecture.activations import activation
from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import ConvOp, DenseOp, Op
from nas.architecture.spec import Architecture
from nas.builders.keras_layers import LayerSettings, op_layers
from nas.builders.keras_model import build_model, weights_by_name
from nas.builders.quantized_layers import layer_name
from nas.errors import InputError

# Integer bits without the sign that numbers begin with, those of HGQ2's own configurations.
INTEGER_BITS = 2
# Biases and normalisations cost no bit operations by either count, and shall limit nothing.
BEHIND_BITS, BEHIND_INTEGER_BITS = 15, 4


@dataclass(frozen=True)
class Counts:
    """What a trained network of HGQ2 costs.

    Args:
        bops: Bit operations of one image, as `nas.cost.bits` counts them.
        weight_bits: Of all kernels, likewise.
        ebops: What HGQ2 counts: without signs and padding, and with biases.
        pruned_share: Of the weights, those that have no bits left.
    """

    bops: int
    weight_bits: int
    ebops: int
    pruned_share: float


def check_installed() -> None:
    """Refuses to begin without HGQ2.

    Raises:
        InputError: It is not installed.
    """
    try:
        import hgq  # noqa: F401
    except ImportError as error:
        raise InputError(
            "HGQ2 0.2.0 or later, for a comparison with it",
            f"{error}",
            "install the extra in an environment of its own: pip install -e '.[hgq]'",
        ) from error


def hgq_network(architecture: Architecture, bits: int, beta: float) -> keras.Model:
    """The network with HGQ2's layers and the initial weights of ours.

    Weights saturate, and what is read wraps around and is traced at the end, as HGQ2's documents
    have it. Each weight and each number that is read has a width of its own.

    Args:
        architecture: Without formats, of convolutions, dense layers and what has no weights.
        bits: That each weight and each number that is read begins with, with its sign.
        beta: What HGQ2's loss multiplies its bit operations with.
    """
    from hgq.config import LayerConfigScope, QuantizerConfigScope

    model = build_model(architecture)
    values = weights_by_name(model, architecture)
    inputs = keras.Input((architecture.image_size,) * 2 + (spec.IMAGE_CHANNELS,), name="image")
    x = keras.layers.Rescaling(spec.PIXEL_SCALE, spec.PIXEL_OFFSET, name="scale_pixels")(inputs)
    widths = {"i0": INTEGER_BITS, "b0": bits - 1, "f0": bits - 1 - INTEGER_BITS}
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="weight", i0=widths["i0"], b0=widths["b0"]),
        QuantizerConfigScope(place="bias", i0=BEHIND_INTEGER_BITS, b0=BEHIND_BITS),
        QuantizerConfigScope(
            place="datalane",
            default_q_type="kif",
            overflow_mode="WRAP",
            i0=widths["i0"],
            f0=widths["f0"],
        ),
        LayerConfigScope(enable_ebops=True, beta0=beta),
    ):
        for layer in lower_architecture(architecture):
            for op in layer.ops:
                for one in _layers(op):
                    x = one(x)
    found = keras.Model(inputs, x, name="hgq_network")
    for op in _products(architecture):
        own = found.get_layer(layer_name(op.name))
        own.kernel.assign(values[f"{op.name}.kernel"])
    return found


def _layers(op: Op) -> Iterable[keras.layers.Layer]:
    """The layers of an operation, those with weights from HGQ2."""
    from hgq.config import QuantizerConfig
    from hgq.layers import QBatchNormalization, QConv2D, QDense

    if not isinstance(op, ConvOp | DenseOp):
        yield from op_layers(op, LayerSettings())
        return
    name = layer_name(op.name)
    if isinstance(op, DenseOp):
        yield QDense(op.out_units, use_bias=op.bias, name=name)
    elif op.depthwise:
        raise InputError(
            "no depthwise convolutions: HGQ2 has no layer for them", f"`{op.name}`", "leave it out"
        )
    else:
        padding = "valid" if op.valid else "same"
        size = (op.kernel, op.kernel)
        yield QConv2D(
            op.out_channels, size, op.stride, padding=padding, use_bias=op.bias, name=name
        )
    if op.batch_norm:
        behind = {"i0": BEHIND_INTEGER_BITS, "b0": BEHIND_BITS}
        yield QBatchNormalization(
            momentum=LayerSettings.momentum,
            epsilon=spec.BATCH_NORM_EPSILON,
            # Sums are exact in ours, too; its products cost nothing by our definition.
            enable_iq=False,
            kq_conf=QuantizerConfig("kbi", "weight", **behind),
            bq_conf=QuantizerConfig("kbi", "bias", **behind),
            name=layer_name(f"{op.name}.bn"),
        )
    if op.activation != "none":
        yield keras.layers.Activation(activation(op.activation).keras)


def settle(model: keras.Model, batches: Iterable[np.ndarray], images: np.ndarray) -> None:
    """Makes statistics anew and traces the range of what is read, on training images.

    Args:
        model: Trained.
        batches: That statistics are made from, as for ours.
        images: All training images, (n, height, width, 3) from 0 to 255.
    """
    from hgq.layers import QBatchNormalization
    from hgq.utils import trace_minmax

    norms = [layer for layer in model.layers if isinstance(layer, QBatchNormalization)]
    own = [layer.momentum for layer in norms]
    for count, batch in enumerate(batches):
        for layer in norms:
            layer.momentum = count / (count + 1)  # the plain mean of the batches so far
        model(batch, training=True)
    for layer, momentum in zip(norms, own, strict=True):
        layer.momentum = momentum
    trace_minmax(model, images.astype(np.float32), batch_size=1000)


def counts(model: keras.Model, architecture: Architecture) -> Counts:
    """What a settled network costs.

    Args:
        model: Of `hgq_network`.
        architecture: That it was made from.
    """
    bops = weight_bits = ebops = pruned = weights = 0
    for op in _products(architecture):
        layer = model.get_layer(layer_name(op.name))
        kernel = _bits(layer.kq, layer.kernel.shape)
        bops += product_bits(op, kernel, _bits(layer.iq, op.input_shape))
        weight_bits += int(kernel.sum())
        ebops += int(layer.ebops)
        pruned += int((kernel == 0).sum())
        weights += kernel.size
    return Counts(bops, weight_bits, ebops, pruned / weights)


def product_bits(op: ConvOp | DenseOp, kernel: np.ndarray, read: np.ndarray) -> int:
    """Bit operations: each multiply-add times the bits of its weight and of what it reads.

    What stands in the padding counts as the nearest number of the map. Where all widths are equal
    this is exactly what `nas.cost.counts` counts.

    Args:
        op: The operation.
        kernel: Bits of each weight, with its sign; 0 where there is no weight any more.
        read: Bits of each number that is read, in the shape of the input.
    """
    if isinstance(op, DenseOp):
        return int(read.reshape(-1) @ kernel.sum(axis=-1))
    height, width, _ = op.output_shape
    sides = zip(read.shape[:2], (height, width), strict=True)
    pads = [_padding(op, size, out) for size, out in sides]
    padded = np.pad(read, (*pads, (0, 0)), mode="edge")
    total = 0
    by_place = kernel.sum(axis=-1)  # (kernel, kernel, channels)
    for row, column in np.ndindex(op.kernel, op.kernel):
        seen = padded[
            row : row + (height - 1) * op.stride + 1 : op.stride,
            column : column + (width - 1) * op.stride + 1 : op.stride,
        ]
        total += int(seen.sum(axis=(0, 1)) @ by_place[row, column])
    return total


def _padding(op: ConvOp, size: int, outputs: int) -> tuple[int, int]:
    """TensorFlow's `same` padding before and behind one side of a map."""
    missing = 0 if op.valid else max((outputs - 1) * op.stride + op.kernel - size, 0)
    return missing // 2, missing - missing // 2


def _bits(quantizer: Any, shape: Iterable[int]) -> np.ndarray:
    """Bits of every number with its sign, where it has one; 0 where no bits are left."""
    inner = quantizer.quantizer
    bits, sign = (np.rint(keras.ops.convert_to_numpy(x)) for x in (inner.b, inner.k))
    found = np.where(bits > 0, bits + sign, 0).astype(np.int64)
    shape = tuple(shape)
    # What is read has a first axis of length 1 for the images of a batch.
    return np.broadcast_to(found.reshape(found.shape[-len(shape) :]), shape)


def _products(architecture: Architecture) -> list[ConvOp | DenseOp]:
    ops = (op for layer in lower_architecture(architecture) for op in layer.ops)
    return [op for op in ops if isinstance(op, ConvOp | DenseOp)]
