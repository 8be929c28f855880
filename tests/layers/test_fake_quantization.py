"""Fake quantisation: codes are those of the reference, gradients those of the cited papers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from nas.architecture import number_formats, scales
from nas.architecture.number_formats import FixedPoint, NumberFormat, parse_format
from nas.errors import InputError
from nas.layers import fake_quantization as fake
from nas.layers.fast import (
    kept_divisor,
    mean_in_double,
    pass_within,
    pass_within_scaled,
    pointwise_conv,
    reference_pass_within,
)
from nas.layers.quantized import GlobalMean, QuantizedConv2D, QuantizedDense
from nas.layers.quantized_norm import QuantizedBatchNorm
from tests.support.formats import FIXED_SCALES, FORMATS

RNG = np.random.default_rng(0)


def normal(*shape: int, size: float = 1.0) -> np.ndarray:
    return (size * RNG.standard_normal(shape)).astype(np.float32)


def numpy(tensor: object) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def found_format(text: str) -> NumberFormat:
    found = parse_format(text)
    assert found is not None
    return found


def scale_of(number_format: NumberFormat) -> float:
    return scales.range_scale(number_format)


def reference(number_format: NumberFormat, x: np.ndarray, scale: float) -> np.ndarray:
    is_fixed = isinstance(number_format, FixedPoint)
    return number_formats.codes(number_format, x, None if is_fixed else scale)


@settings(max_examples=40, deadline=None)
@given(FORMATS, st.integers(0, 2**32 - 1))
def test_codes_are_those_of_the_reference(number_format: NumberFormat, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale = scale_of(number_format)
    x = rng.normal(0, 40 * scale * 10 ** rng.uniform(-2, 2), 60).astype(np.float32)
    halves = (scale * (rng.integers(-9, 9, 20) + 0.5)).astype(np.float32)
    x = np.concatenate([x, halves, np.zeros(1, np.float32)])
    found = numpy(fake.codes(number_format, ops.convert_to_tensor(x), scale))
    np.testing.assert_array_equal(found, reference(number_format, x, scale))


@settings(max_examples=20, deadline=None)
@given(FIXED_SCALES, st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_fixed_scales_of_a_kernel_are_those_of_numpy(
    number_format: NumberFormat, inputs: int, seed: int
) -> None:
    kernel = np.random.default_rng(seed).normal(0, 0.1, (inputs, 3)).astype(np.float32)
    expected = scales.kernel_scales(number_format, kernel)
    found = fake.kernel_scales(number_format, ops.convert_to_tensor(kernel), (0,), is_exact=True)
    np.testing.assert_array_equal(np.broadcast_to(numpy(found), (1, 3))[0], expected)


def gradient_of(function: Callable[..., Any], *values: np.ndarray) -> list[np.ndarray]:
    """The gradient of the sum of what a function gives, by each of its tensors."""
    import tensorflow as tf

    tensors = [tf.constant(value) for value in values]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = tf.reduce_sum(function(*tensors))
    return [np.asarray(part) for part in tape.gradient(y, tensors)]


on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="gradients are taken by TensorFlow here"
)


@on_tensorflow
@pytest.mark.parametrize("text", ["b1", "b2", "b8", "u1", "u4", "f8.1", "f8.3t", "f2.2", "f20.4"])
def test_activations_pass_gradients_within_their_range_alone(text: str) -> None:
    number_format = found_format(text)
    low, high = (
        code * scale_of(number_format) for code in number_formats.code_range(number_format)
    )
    x = np.array([low - 0.01, low, 0.3 * high, high, high + 0.01], np.float32)
    weight = normal(5)
    (found,) = gradient_of(lambda t: fake.activations(number_format, t) * weight, x)
    np.testing.assert_array_equal(found, weight * [0, 1, 1, 1, 0])


@on_tensorflow
def test_numbers_that_wrap_around_pass_every_gradient() -> None:
    x = normal(30, size=5.0)
    (found,) = gradient_of(lambda t: fake.activations(found_format("f6.2w"), t), x)
    np.testing.assert_array_equal(found, np.ones(30))


@on_tensorflow
@pytest.mark.parametrize("text", ["b1", "b4", "f6.2"])
def test_kernels_pass_every_gradient_and_have_the_values_of_their_codes(text: str) -> None:
    number_format, kernel = found_format(text), normal(12, 5)
    scale = fake.kernel_scales(number_format, kernel, (0,))
    values = numpy(fake.kernel(number_format, ops.convert_to_tensor(kernel), scale))
    codes = numpy(fake.codes(number_format, ops.convert_to_tensor(kernel), scale))
    # The sum and the difference with the kernel itself round once each.
    np.testing.assert_allclose(values, codes * numpy(scale), rtol=1e-6, atol=1e-6)
    (found,) = gradient_of(
        lambda t: fake.kernel(number_format, t, fake.kernel_scales(number_format, t, (0,))), kernel
    )
    np.testing.assert_array_equal(found, np.ones_like(kernel))


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (-4.0, 3.75), (-2.0, 1.0)])
def test_the_fast_form_of_a_range_is_its_reference(low: float, high: float) -> None:
    x = ops.convert_to_tensor(normal(4, 5, 5, 3, size=3.0))
    gradient = ops.convert_to_tensor(normal(4, 5, 5, 3))
    np.testing.assert_array_equal(
        numpy(pass_within(gradient, x, low, high)),
        numpy(reference_pass_within(gradient, x, low, high)),
    )


@on_tensorflow
@pytest.mark.parametrize("function", [fake.learned, fake.learned_activations])
@pytest.mark.parametrize("text", ["b1l", "b4l", "u4l"])
def test_learned_scales_have_the_gradients_of_lsq(text: str, function: Callable[..., Any]) -> None:
    """Esser et al. 2020, equations 3 and 5; the sign stands where they round."""
    number_format, numbers = found_format(text), 50
    low, high = number_formats.code_range(number_format)
    x, scale = normal(200), np.float32(0.2)
    by_x, by_scale = gradient_of(
        lambda t, s: function(number_format, t, s, numbers), x, np.asarray(scale)
    )
    quotient = x / scale
    inside = (low <= quotient) & (quotient <= high)
    np.testing.assert_allclose(by_x, inside, atol=1e-6)
    codes = number_formats.codes(number_format, x, float(scale))
    expected = np.where(inside, codes - quotient, codes).sum() / np.sqrt(numbers * high)
    # A sum of 200 numbers of size 1 in float32.
    assert by_scale == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_weights_are_cut_where_their_format_ends() -> None:
    for text, low, high in [("b1", -1, 1), ("b1l", -1, 1), ("f8.2", -2, 2 - 2**-6)]:
        within = fake.weight_range(found_format(text))
        assert within is not None
        within = fake.Within.from_config(within.get_config())
        assert [*numpy(within(np.array([-9.0, 0.5, 9.0], np.float32)))] == [low, 0.5, high]
    for text in ("b4", "u4l", "f8.2w"):
        assert fake.weight_range(found_format(text)) is None


def test_a_division_stays_one_in_a_graph() -> None:
    """TensorFlow would multiply by the reciprocal, whose results differ in the last bit."""
    x = normal(1000)
    layer = keras.layers.Lambda(lambda t: t / kept_divisor(7.0))
    model = keras.Sequential([keras.Input((1000,)), layer])
    model.compile(jit_compile=False)
    found = model.predict_on_batch(x[None])[0]
    np.testing.assert_array_equal(found, x / np.float32(7.0))
    assert (x * np.float32(1 / 7.0) != x / np.float32(7.0)).any()


def test_means_in_double_precision_are_those_of_numpy() -> None:
    x = normal(3, 7, 5, 4)
    found = numpy(mean_in_double(ops.convert_to_tensor(x), (1, 2)))
    expected = x.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
    np.testing.assert_array_equal(found, expected)
    assert GlobalMean().compute_output_shape((None, 7, 5, 4)) == (None, 4)


@pytest.mark.parametrize("text", ["f16.6", "f8.3t", "f6.2w"])
def test_normalisation_in_fixed_point_trains_with_the_numbers_it_is_evaluated_with(
    text: str,
) -> None:
    step = found_format(text).step  # type: ignore[union-attr]
    layer, x = QuantizedBatchNorm(0.0, norm_format=text), normal(16, 4, 4, 3, size=2.0)
    layer.build(x.shape)
    layer.gamma.assign(normal(3, size=2.0))
    layer.beta.assign(normal(3))
    y = numpy(layer(x, training=True))
    np.testing.assert_array_equal(y, np.rint(y / step) * step)
    # The momentum is 0: the running statistics are the batch's, but for the order of sums. A number
    # in the middle between two may then become the other one.
    evaluated = numpy(layer(x, training=False))
    assert (np.abs(y - evaluated) > step / 2).mean() < 0.01


def test_a_shift_has_the_format_of_the_bias_that_it_is_folded_into() -> None:
    layer, x = QuantizedBatchNorm(0.0, shift_format="f8.4"), normal(64, 3)
    layer.build(x.shape)
    layer.beta.assign(normal(3))
    plain = QuantizedBatchNorm(0.0)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    difference = numpy(layer(x, training=True)) - numpy(plain(x, training=True))
    # The same shift for all images of a channel, at most half a step.
    np.testing.assert_allclose(difference, np.broadcast_to(difference[0], (64, 3)), atol=1e-6)
    assert 0 < np.abs(difference).max() <= 2.0**-5 + 1e-6


def test_only_fixed_point_normalises() -> None:
    with pytest.raises(InputError, match="fixed-point format of batch normalisation"):
        QuantizedBatchNorm(norm_format="b4")


def test_sums_that_nothing_computes_exactly_are_refused() -> None:
    layer = QuantizedDense(4, weight_format="f24.4", activation_format="f24.4", name="last")
    with pytest.raises(
        InputError, match="`last` whose sums of 512 products are at most 2^53".replace("^", r"\^")
    ):
        layer.build((None, 512))


def test_half_precision_holds_codes_of_few_bits() -> None:
    for policy, most in (("mixed_bfloat16", 8), ("mixed_float16", 11)):
        wide = f"f{most + 1}.1"
        layer = QuantizedConv2D(4, 3, weight_format=wide, activation_format="b4", dtype=policy)
        with pytest.raises(InputError, match=f"at most {most} bits"):
            layer.build((None, 8, 8, 3))
        layer = QuantizedConv2D(4, 3, weight_format="b4", activation_format="b4", dtype=policy)
        x = normal(2, 8, 8, 3)
        for training in (True, False):
            assert layer(x, training=training).dtype == policy.removeprefix("mixed_")


def test_what_other_backends_compute_is_what_tensorflow_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2, 4, 5, 3)).astype(np.float32)
    kernel = rng.normal(size=(1, 1, 3, 6)).astype(np.float32)
    gradient = rng.normal(size=x.shape).astype(np.float32)

    def results() -> list[np.ndarray]:
        scaled = pass_within_scaled(gradient, x, -7.0, 7.0, np.float32(0.1), True)
        return [
            keras.ops.convert_to_numpy(found)
            for found in (pointwise_conv(x, kernel), scaled, x / kept_divisor(3.0))
        ]

    here = results()
    monkeypatch.setattr(keras.backend, "backend", lambda: "another")
    product, scaled, quotient = results()
    # Three float32 products are summed in another order.
    np.testing.assert_allclose(product, here[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(scaled, here[1])
    np.testing.assert_array_equal(quotient, here[2])
