"""Depthwise convolutions as sums of shifted products, on whatever backend runs the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from nas.layers.depthwise_conv import (
    DepthwiseConv2D,
    depthwise_conv,
    gradients,
    margins,
    shifted_products,
)

# Height, width, kernel, stride, padding: odd sides, strides that leave pixels out, kernels that are
# larger than the map, and one that is a single pixel.
CASES = (
    (8, 8, 3, 1, "same"),
    (8, 7, 5, 2, "same"),
    (7, 8, 3, 2, "same"),
    (9, 11, 3, 3, "same"),
    (15, 13, 5, 2, "valid"),
    (9, 10, 3, 3, "valid"),
    (3, 2, 7, 1, "same"),
    (2, 2, 5, 2, "same"),
    (6, 5, 1, 2, "same"),
)
RNG = np.random.default_rng(0)


def by_hand(x: np.ndarray, kernel: np.ndarray, stride: int, padding: str) -> np.ndarray:
    """The convolution from its definition, in double precision."""
    size = len(kernel)
    if padding == "same":
        pads = []
        for length in x.shape[1:3]:
            missing = max((-(-length // stride) - 1) * stride + size - length, 0)
            pads.append((missing // 2, missing - missing // 2))
        x = np.pad(x, [(0, 0), *pads, (0, 0)])
    rows, columns = ((length - size) // stride + 1 for length in x.shape[1:3])
    y = np.zeros((x.shape[0], rows, columns, x.shape[3]))
    for row, column in np.ndindex(rows, columns):
        part = x[:, row * stride : row * stride + size, column * stride : column * stride + size]
        y[:, row, column] = np.einsum("nijc,ijc->nc", part, kernel)
    return y


@pytest.mark.parametrize("case", CASES, ids=str)
def test_shifted_products_are_the_convolution(case: tuple[int, int, int, int, str]) -> None:
    height, width, size, stride, padding = case
    x = RNG.standard_normal((2, height, width, 4)).astype(np.float32)
    kernel = RNG.standard_normal((size, size, 4)).astype(np.float32)
    expected = by_hand(x.astype(float), kernel.astype(float), stride, padding)
    tensor = ops.convert_to_tensor(x)
    around = margins(tensor, size, stride, padding)
    y = shifted_products(tensor, ops.convert_to_tensor(kernel), stride, around)
    np.testing.assert_allclose(ops.convert_to_numpy(y), expected, rtol=1e-5, atol=1e-5)
    y = depthwise_conv(tensor, ops.convert_to_tensor(kernel[..., None]), stride, padding)
    np.testing.assert_allclose(ops.convert_to_numpy(y), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_are_those_of_the_definition(case: tuple[int, int, int, int, str]) -> None:
    height, width, size, stride, padding = case
    x = RNG.standard_normal((2, height, width, 3)).astype(np.float32)
    kernel = RNG.standard_normal((size, size, 3)).astype(np.float32)
    dy = RNG.standard_normal(by_hand(x, kernel, stride, padding).shape).astype(np.float32)
    tensor = ops.convert_to_tensor(x)
    around = margins(tensor, size, stride, padding)
    sums = ops.convert_to_tensor(dy)
    dx, dkernel = gradients(tensor, ops.convert_to_tensor(kernel), sums, stride, around)
    assert tuple(dx.shape) == x.shape and tuple(dkernel.shape) == kernel.shape
    # The convolution is linear in both: its change along one axis is its gradient, exactly.
    for which, gradient in enumerate((dx, dkernel)):
        values = ops.convert_to_numpy(gradient)
        for place in RNG.permutation(values.size)[:12]:
            unit = np.zeros(values.size)
            unit[place] = 1.0
            moved: Any = [x.astype(float), kernel.astype(float)]
            moved[which] = unit.reshape(values.shape)
            expected = np.sum(by_hand(moved[0], moved[1], stride, padding) * dy)
            assert values.reshape(-1)[place] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_products_of_half_precision_are_summed_in_single() -> None:
    # 1 + 256 is 256 in bfloat16, whose next number is 258: a sum that is rounded on the way loses
    # all ones.
    x = np.ones((1, 3, 3, 1), np.float32)
    x[0, 0, 0, 0] = 256.0
    tensor = ops.cast(ops.convert_to_tensor(x), "bfloat16")
    kernel = ops.cast(ops.ones((3, 3, 1)), "bfloat16")
    y = shifted_products(tensor, kernel, 1, ((0, 0), (0, 0)))
    assert float(ops.convert_to_numpy(ops.cast(y, "float32"))[0, 0, 0, 0]) == 264.0


def test_the_layer_equals_that_of_keras_and_is_saved(tmp_path: Path) -> None:
    options = {"strides": 2, "padding": "same", "activation": "relu"}
    ours = keras.Sequential([keras.Input((7, 8, 5)), DepthwiseConv2D(3, **options)])
    plain = keras.layers.DepthwiseConv2D(3, **options)
    x = RNG.standard_normal((2, 7, 8, 5)).astype(np.float32)
    plain.build(x.shape)
    plain.set_weights([RNG.standard_normal(w.shape) for w in plain.get_weights()])
    ours.set_weights(plain.get_weights())
    assert ours.output_shape == (None, 4, 4, 5)
    ours.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    expected = ops.convert_to_numpy(plain(x))
    np.testing.assert_allclose(ops.convert_to_numpy(again(x)), expected, rtol=1e-5, atol=1e-5)
