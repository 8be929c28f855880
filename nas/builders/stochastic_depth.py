"""Stochastic depth: residual branches that are left out at random while a network trains."""

from __future__ import annotations

from typing import Any

from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import ResidualOp, all_ops
from nas.architecture.spec import Architecture


def branch_rates(architecture: Architecture, rate: float) -> dict[str, float]:
    """Name of each residual -> how often its branch is left out, growing from 0 to the last one.

    Branch l of L gets rate * l / L: early branches make what all later ones read.

    Args:
        architecture: The network.
        rate: Of the last branch, from 0 to below 1.

    Returns:
        None of the residuals where the rate is 0.

    Source: Huang et al. 2016, arXiv 1603.09382, equation 4.
    """
    if not rate:
        return {}
    names = [
        op.name
        for layer in lower_architecture(architecture)
        for op in all_ops(layer.ops)
        if isinstance(op, ResidualOp)
    ]
    return {name: rate * place / len(names) for place, name in enumerate(names, start=1)}


def branch_dropout(rate: float, axes: int, name: str) -> Any:
    """Leaves the whole branch of an image out, and makes those that stay larger by as much.

    It is Keras' dropout with one draw an image; outside of training it does nothing.

    Args:
        rate: Share of the images, from 0 to below 1.
        axes: Of the branch's output without the batch.
        name: Of the layer.

    Returns:
        A Keras layer.
    """
    import keras

    return keras.layers.Dropout(rate, noise_shape=(None, *[1] * axes), name=name)
