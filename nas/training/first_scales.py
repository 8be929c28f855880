"""Learned scales begin with what the first images say of them."""

from __future__ import annotations

import keras
import numpy as np

from nas.layers.mixed_formats import MixedFormats
from nas.layers.quantized_layer import QuantizedLayer
from nas.system.graphs import one_graph


def learned_layers(model: keras.Model) -> list[QuantizedLayer | MixedFormats]:
    """The layers whose scales are weights, nested ones included.

    Args:
        model: A network or a supernet.
    """
    kinds = QuantizedLayer | MixedFormats
    layers = [one for one in model._flatten_layers() if isinstance(one, kinds)]
    return [layer for layer in layers if layer.has_learned_scales]


def set_first_scales(model: keras.Model, images: np.ndarray) -> None:
    """Sets the learned scales of a network or a supernet, layer by layer; all else stays.

    Of a supernet, all options of what the drawn network reads get their scales.

    Source: Esser et al. 2020, arXiv 1902.08153, section 2.1.

    Args:
        model: Not yet trained.
        images: Pixels (batch, height, width, 3) of the first images.
    """
    learned = learned_layers(model)
    if not learned:
        return
    # What a layer reads while it trains is normalised by the batch; that moves statistics.
    kept = [keras.ops.convert_to_numpy(one).copy() for one in model.non_trainable_variables]
    for layer in learned:
        layer.sets_scales = True
    try:
        one_graph(lambda pixels: model(pixels, training=True), model)(images)
    finally:
        for layer in learned:
            layer.sets_scales = False
        for variable, value in zip(model.non_trainable_variables, kept, strict=True):
            variable.assign(value)
