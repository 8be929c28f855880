"""Weights of one network, cut out of the supernet's."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from nas.architecture import spec
from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import ConvOp, DenseOp, all_ops
from nas.layers.super_block import SuperBlock
from nas.supernet.model import Supernet


def inherit_weights(network: Supernet, architecture: spec.Architecture) -> dict[str, np.ndarray]:
    """Weights of one network of the space, cut out of the supernet's.

    Args:
        network: The supernet.
        architecture: A network of its space.

    Returns:
        Arrays under the names of `nas.architecture.weights`.
    """
    network.space.encode(architecture)
    values: dict[str, np.ndarray] = {}
    for layer, stage in zip(lower_architecture(architecture), network.stages, strict=True):
        if isinstance(stage, SuperBlock):
            if isinstance(layer.layer, spec.MBConv):
                values |= _block_weights(stage, layer.layer, f"{layer.index}", layer.input_shape[2])
            continue
        ops = [op for op in all_ops(layer.ops) if isinstance(op, ConvOp | DenseOp)]
        weighted = [layers for layers in stage if layers[0].weights]
        for op, layers in zip(ops, weighted, strict=True):
            values |= _op_weights(op, layers)
    return values


def _numpy(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float32)


def _op_weights(op: ConvOp | DenseOp, layers: list) -> dict[str, np.ndarray]:
    kernel = _numpy(layers[0].kernel)
    depthwise = isinstance(op, ConvOp) and op.depthwise
    values = {f"{op.name}.kernel": kernel.transpose(0, 1, 3, 2) if depthwise else kernel}
    if op.bias:
        values[f"{op.name}.bias"] = _numpy(layers[0].bias)
    if op.batch_norm:
        for kind in ("gamma", "beta", "mean", "variance"):
            values[f"{op.name}.{kind}"] = _numpy(getattr(layers[1], kind))
    return values


def _block_weights(
    block: SuperBlock, option: spec.MBConv, prefix: str, in_channels: int
) -> dict[str, np.ndarray]:
    hidden = option.expansion * in_channels
    margin = (block.depthwise_kernel.shape[0] - option.kernel) // 2
    centre = slice(margin, margin + option.kernel)
    values: dict[str, np.ndarray] = {}
    norms: list[tuple[str, Any, int | None]] = [
        ("depthwise", block.depthwise_bn, hidden),
        ("project", block.project_bn, None),
    ]
    if option.expansion > 1:
        values[f"{prefix}.expand.kernel"] = _numpy(block.expand_kernel)[..., :hidden]
        norms.append(("expand", block.expand_bn, hidden))
    depthwise = _numpy(block.depthwise_kernel)[centre, centre, :hidden]
    values[f"{prefix}.depthwise.kernel"] = depthwise.transpose(0, 1, 3, 2)
    values[f"{prefix}.project.kernel"] = _numpy(block.project_kernel)[:, :, :hidden]
    for name, norm, width in norms:
        for kind in ("gamma", "beta", "mean", "variance"):
            values[f"{prefix}.{name}.{kind}"] = _numpy(getattr(norm, kind))[:width]
    if block.se is not None:
        se = f"{prefix}.se"
        values[f"{se}.reduce.kernel"] = _numpy(block.se.reduce_kernel)[:hidden]
        values[f"{se}.reduce.bias"] = _numpy(block.se.reduce_bias)
        values[f"{se}.expand.kernel"] = _numpy(block.se.expand_kernel)[:, :hidden]
        values[f"{se}.expand.bias"] = _numpy(block.se.expand_bias)[:hidden]
    return values
