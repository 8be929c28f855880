"""Weights of one network, cut out of the supernet's."""

from __future__ import annotations

import numpy as np

from nas.architecture import spec
from nas.builders.keras_layers import OpChain
from nas.search_space.choice import OneOf
from nas.search_space.decisions import is_skip
from nas.supernet.model import Supernet


def inherit_weights(network: Supernet, architecture: spec.Architecture) -> dict[str, np.ndarray]:
    """Weights of one network of the space, cut out of the supernet's.

    Args:
        network: The supernet.
        architecture: A network of its space.

    Returns:
        Arrays under the names of `nas.architecture.weights`.

    Raises:
        SpaceError: The network is not in the space.
    """
    network.space.encode(architecture)
    values: dict[str, np.ndarray] = {}
    places = zip(network.space.layers, architecture.layers, network.stages, strict=True)
    for index, (place, layer, stage) in enumerate(places):
        if isinstance(stage, OpChain):
            values |= stage.arrays()
        elif isinstance(place, OneOf) and not is_skip(layer):
            part = stage.weights_of(place.values(layer))
            values |= {f"{index}.{name}": value for name, value in part.items()}
    return values
