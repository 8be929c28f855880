"""Published networks as Keras models."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from nas.architecture.references.named import reference
from nas.builders.keras_model import build_model
from nas.layers.batch_norm import BatchNorm


@pytest.mark.parametrize("is_portable", [False, True])
def test_resnet9_keeps_nine_tenths_of_its_statistics(is_portable: bool) -> None:
    """PyTorch's momentum of 0.1 is the share of the new ones: here and in Keras that is 0.9."""
    model = build_model(reference("resnet9_x0.125", 8), is_portable=is_portable)
    kind = keras.layers.BatchNormalization if is_portable else BatchNorm
    norms = [layer for layer in model.layers if isinstance(layer, kind)]
    assert len(norms) == 8
    assert {norm.momentum for norm in norms} == {0.9}
    first = norms[0]
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    before = keras.Model(model.input, first.input)(pixels)
    model(pixels, training=True)
    name = "moving_mean" if is_portable else "mean"
    moved = keras.ops.convert_to_numpy(getattr(first, name))
    batch_mean = keras.ops.convert_to_numpy(before).mean(axis=(0, 1, 2))
    # The mean was 0 before. Float32 sums of 256 values: 1e-6 of them.
    np.testing.assert_allclose(moved, 0.1 * batch_mean, rtol=1e-4, atol=1e-6)
