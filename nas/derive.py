"""Gates -> the best architecture within a latency window, and weights carried over.

The choice is exact: an integer programme with one binary for each (choice, option).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from nas import spec
from nas.errors import InputError
from nas.layers.super_block import SuperBlock
from nas.lower import ConvOp, DenseOp, all_ops, lower_architecture
from nas.space import Space
from nas.supernet import Supernet


@dataclass(frozen=True)
class GateProbabilities:
    """Probabilities of every decision: (choices, kernels), (choices, expansions), (choices, 2)."""

    kernel: np.ndarray
    expansion: np.ndarray
    skip: np.ndarray
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GateProbabilities:
        """From lists, as a run folder keeps them."""
        arrays = {kind: np.asarray(data[kind], float) for kind in ("kernel", "expansion", "skip")}
        return cls(**arrays, kernels=tuple(data["kernels"]), expansions=tuple(data["expansions"]))

    def joint(self, space: Space) -> list[np.ndarray]:
        """Probability of every option of every choice; each sums to 1."""
        return [
            np.array([self._option(number, option) for option in choice.options])
            for number, choice in enumerate(space.choices)
        ]

    def _option(self, number: int, option: spec.Layer) -> float:
        if isinstance(option, spec.Skip):
            return float(self.skip[number, 1])
        kernel, expansion = self._places(option)
        keep = float(self.skip[number, 0])
        return keep * float(self.kernel[number, kernel] * self.expansion[number, expansion])

    def _places(self, option: spec.Layer) -> tuple[int, int]:
        if not isinstance(option, spec.MBConv):
            raise InputError("options that are MBConv or skip", f"{option}", "change the space")
        return self.kernels.index(option.kernel), self.expansions.index(option.expansion)

    def scores(self, space: Space) -> list[np.ndarray]:
        """Score of every option: log p_skip, or log(1 - p_skip) + log of its relative p's.

        Relative to the most likely kernel and expansion, so that a skip is not favoured for
        being one option against many.
        """
        tiny = 1e-12  # a probability that underflowed must not make a score infinite
        scores = []
        for number, choice in enumerate(space.choices):
            row = []
            for option in choice.options:
                if isinstance(option, spec.Skip):
                    row.append(np.log(self.skip[number, 1] + tiny))
                    continue
                k, e = self._places(option)
                relative_k = self.kernel[number, k] / self.kernel[number].max()
                relative_e = self.expansion[number, e] / self.expansion[number].max()
                row.append(
                    np.log(self.skip[number, 0] + tiny)
                    + np.log(relative_k + tiny)
                    + np.log(relative_e + tiny)
                )
            scores.append(np.array(row))
        return scores


def choose(
    scores: Sequence[np.ndarray],
    option_ms: Sequence[np.ndarray],
    low_ms: float,
    high_ms: float,
    forbidden: Sequence[tuple[int, ...]] = (),
) -> tuple[int, ...] | None:
    """The network of the highest total score whose options' sum lies in a window.

    Args:
        scores: Score of each option of each choice.
        option_ms: Milliseconds of the same options.
        low_ms: Least sum.
        high_ms: Greatest sum.
        forbidden: Networks that must not come out again (no-good cuts).

    Returns:
        One option a choice, or None if no network lies in the window.
    """
    sizes = [len(row) for row in scores]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    count = int(starts[-1])
    one_each = np.zeros((len(sizes), count))
    for row, (start, size) in enumerate(zip(starts, sizes, strict=False)):
        one_each[row, start : start + size] = 1
    constraints = [
        LinearConstraint(one_each, 1, 1),
        LinearConstraint(np.concatenate(list(option_ms))[None, :], low_ms, high_ms),
    ]
    for network in forbidden:
        cut = np.zeros((1, count))
        cut[0, starts[:-1] + np.array(network)] = 1
        constraints.append(LinearConstraint(cut, -np.inf, len(sizes) - 1))
    result = milp(
        -np.concatenate(list(scores)),
        integrality=np.ones(count),
        bounds=Bounds(0, 1),
        constraints=constraints,
    )
    if result.x is None:
        return None
    return tuple(
        int(result.x[start : start + size].argmax())
        for start, size in zip(starts, sizes, strict=False)
    )


def inherit_weights(network: Supernet, architecture: spec.Architecture) -> dict[str, np.ndarray]:
    """Weights of one network of the space, cut out of the supernet's.

    Args:
        network: The supernet.
        architecture: A network of its space.

    Returns:
        Arrays under the names of `nas.weights`.
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


def _numpy(variable: object) -> np.ndarray:
    import keras

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
