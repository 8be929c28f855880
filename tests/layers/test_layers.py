"""Our Keras layers: equal to reference forms, and their masks exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from nas.errors import InputError
from nas.layers import super_block
from nas.layers.batch_norm import BatchNorm
from nas.layers.draw import GateDraw
from nas.layers.fast import (
    batch_norm_training,
    first,
    pointwise_conv,
    reference_batch_norm_training,
)
from nas.layers.gates import Gates
from nas.layers.option_masks import channel_masks, kernel_masks
from nas.layers.pointwise_conv import PointwiseConv2D
from nas.layers.squeeze_excite import SqueezeExcite
from nas.layers.super_block import SuperBlock

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def numpy(tensor: object) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


@pytest.mark.parametrize("shape", [(4, 5, 6, 3), (8, 3)])
def test_fast_batch_norm_equals_its_reference(shape: tuple[int, ...]) -> None:
    values = (normal(*shape) * 3 + 1, normal(3), normal(3))
    x, gamma, beta = (ops.convert_to_tensor(value) for value in values)
    fast, slow = (
        [numpy(part) for part in form(x, gamma, beta, 1e-3)]
        for form in (batch_norm_training, reference_batch_norm_training)
    )
    for one, other in zip(fast, slow, strict=True):
        # float32 sums over 120 values in two orders.
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the fast form is TensorFlow's")
def test_fast_batch_norm_has_the_same_gradient() -> None:
    import tensorflow as tf

    x, weight = tf.constant(normal(4, 5, 6, 3)), normal(4, 5, 6, 3)
    gamma, beta = tf.constant(normal(3)), tf.constant(normal(3))
    gradients = []
    for form in (batch_norm_training, reference_batch_norm_training):
        with tf.GradientTape() as tape:
            tape.watch([x, gamma, beta])
            y = tf.reduce_sum(form(x, gamma, beta, 1e-3)[0] * weight)
        gradients.append(tape.gradient(y, [x, gamma, beta]))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(numpy(one), numpy(other), rtol=1e-4, atol=1e-4)


def test_batch_norm_equals_keras() -> None:
    ours, theirs = BatchNorm(0.9, 1e-3), keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)
    for _ in range(3):
        x = normal(8, 4, 4, 5) * 2 + 1
        one, other = ours(x, training=True), theirs(x, training=True)
        np.testing.assert_allclose(numpy(one), numpy(other), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(numpy(ours.mean), numpy(theirs.moving_mean), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        numpy(ours.variance), numpy(theirs.moving_variance), rtol=1e-5, atol=1e-6
    )
    x = normal(2, 4, 4, 5)
    np.testing.assert_allclose(numpy(ours(x)), numpy(theirs(x)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 2])
def test_first_entries_are_those_of_indexing(axis: int) -> None:
    x = normal(4, 5, 6)
    part = x[:3] if axis == 0 else x[:, :, :3]
    np.testing.assert_array_equal(numpy(first(x, 3, axis)), part)
    assert first(x, None, axis) is x


def test_normalising_the_first_channels_leaves_the_other_statistics() -> None:
    x = ops.convert_to_tensor(normal(8, 4, 4, 5))
    whole, part = BatchNorm(), BatchNorm()
    whole(x, training=True)
    part.build(x.shape)
    for training in (True, False):
        y, statistics = part.normalise(x[..., :3], training, channels=3)
        if training:
            part.set_statistics(statistics)
        # Each channel is normalised alone.
        np.testing.assert_allclose(
            numpy(y),
            numpy(whole(x, training=training, update_statistics=False))[..., :3],
            atol=1e-6,
        )
    for kind, rest in (("mean", 0.0), ("variance", 1.0)):
        got, expected = numpy(getattr(part, kind)), numpy(getattr(whole, kind))
        np.testing.assert_allclose(got[:3], expected[:3], rtol=1e-6)
        assert (got[3:] == rest).all()


def test_squeeze_excite_of_the_first_channels_hides_the_others() -> None:
    layer = SqueezeExcite(2)
    x = normal(3, 4, 4, 6)
    layer.build(x.shape)
    layer.set_weights([normal(6, 2), normal(2), normal(2, 6), normal(6)])
    masked = layer(x, channel_mask=np.array([1, 1, 1, 0, 0, 0], np.float32))
    part = layer(x[..., :3], channels=3)
    # Sums of three products, with and without three zeros.
    np.testing.assert_allclose(numpy(part), numpy(masked)[..., :3], rtol=1e-5, atol=1e-6)


def test_statistics_rest_when_asked_to() -> None:
    layer = BatchNorm()
    layer(normal(8, 4, 4, 5), training=True, update_statistics=False)
    assert not numpy(layer.mean).any() and (numpy(layer.variance) == 1).all()


def test_batch_norm_configuration_round_trips() -> None:
    layer = BatchNorm(0.8, 1e-2)
    again = BatchNorm.from_config(layer.get_config())
    assert (again.momentum, again.epsilon) == (0.8, 1e-2)
    with pytest.raises(InputError, match="(?s)Expected `momentum`.*Received: momentum=1.*Fix"):
        BatchNorm(1.0)


def test_squeeze_excite_by_hand() -> None:
    layer = SqueezeExcite(2)
    x = normal(3, 4, 4, 6)
    layer(x)
    w1, b1, w2, b2 = normal(6, 2), normal(2), normal(2, 6), normal(6)
    layer.set_weights([w1, b1, w2, b2])
    hidden = np.maximum(x.mean(axis=(1, 2)) @ w1 + b1, 0)
    gate = np.clip(hidden @ w2 + b2 + 3, 0, 6) / 6
    np.testing.assert_allclose(numpy(layer(x)), x * gate[:, None, None], rtol=1e-5, atol=1e-6)


def test_masks_are_centred_and_first() -> None:
    masks = kernel_masks((3, 5, 7))
    assert masks.sum(axis=(1, 2)).tolist() == [9, 25, 49]
    assert masks[0, 2:5, 2:5].all() and masks[1, 1:6, 1:6].all()
    channels = channel_masks((3, 6), 8)
    assert channels.sum(axis=1).tolist() == [24, 48] and channels[0, :24].all()


def block(residual: bool = True, squeeze: int = 0) -> SuperBlock:
    layer = SuperBlock((3, 5), (3, 6), 8, 1, "relu6", squeeze, residual)
    layer.build((None, 6, 6, 8))
    for variable in layer.variables:
        variable.assign(np.abs(normal(*variable.shape)) * 0.3 + 0.1)
    return layer


def gates(kernel: int, expansion: int, keep: int) -> dict[str, np.ndarray]:
    one_hot = np.eye(2, dtype=np.float32)
    return {"kernel": one_hot[kernel], "expansion": one_hot[expansion], "skip": one_hot[1 - keep]}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("squeeze", [0, 8])
def test_hidden_channels_contribute_exactly_nothing(training: bool, squeeze: int) -> None:
    layer = block(squeeze=squeeze)
    x = normal(4, 6, 6, 8)
    settings = {"training": training, "update_statistics": False}
    before = numpy(layer(x, gates(1, 0, 1), **settings))
    for variable in (layer.expand_kernel, layer.project_kernel, layer.depthwise_kernel):
        value = numpy(variable).copy()
        if variable is layer.expand_kernel:
            value[..., 24:] += 7
        else:
            value[:, :, 24:] += 7
        variable.assign(value)
    after = numpy(layer(x, gates(1, 0, 1), **settings))
    np.testing.assert_array_equal(after, before)
    assert not np.array_equal(numpy(layer(x, gates(1, 1, 1), **settings)), before)


def test_outer_ring_contributes_exactly_nothing() -> None:
    layer = block()
    x = normal(4, 6, 6, 8)
    before = numpy(layer(x, gates(0, 1, 1)))
    value = numpy(layer.depthwise_kernel).copy()
    value[[0, -1]] += 5
    value[:, [0, -1]] += 5
    layer.depthwise_kernel.assign(value)
    np.testing.assert_array_equal(numpy(layer(x, gates(0, 1, 1))), before)


@pytest.mark.parametrize("training", [False, True])
def test_a_skipped_block_is_exactly_the_identity(training: bool) -> None:
    x = normal(4, 6, 6, 8)
    y = block()(x, gates(1, 1, 0), training=training, update_statistics=False)
    np.testing.assert_array_equal(numpy(y), x)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX's shapes are fixed")
def test_an_option_is_the_same_cut_out_by_shape_or_chosen_by_a_switch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = block(squeeze=8)
    x = ops.convert_to_tensor(normal(4, 6, 6, 8))
    always = {"kernel": gates(1, 0, 1)["kernel"], "expansion": gates(1, 0, 1)["expansion"]}
    for drawn in (gates(0, 1, 1), gates(1, 1, 0), always):
        found = []
        for slices in (True, False):
            monkeypatch.setattr(super_block, "SLICES", slices)
            y, statistics = layer.sampled(x, drawn, training=True)
            found.append([y, *(value for pair in statistics for value in pair)])
        assert len(found[0]) == 1 + 2 * len(layer.norms())
        for one, other in zip(*found, strict=True):
            # The same float32 products of the same weights.
            np.testing.assert_allclose(numpy(one), numpy(other), rtol=1e-6, atol=1e-6)
        is_identity = np.array_equal(numpy(found[1][0]), numpy(x))
        assert is_identity == ("skip" in drawn and not drawn["skip"][0])


@pytest.mark.parametrize(
    ("kernel", "expansion", "squeeze"), [(3, 1, 0), (5, 1, 4), (3, 4, 4), (5, 4, 0)]
)
def test_an_options_weights_are_the_centre_and_the_first_channels(
    kernel: int, expansion: int, squeeze: int
) -> None:
    layer = SuperBlock((3, 5), (1, 4), 8, 2, "relu", squeeze, residual=False)
    layer.build((None, 6, 6, 2))
    for variable in layer.variables:
        variable.assign(normal(*variable.shape))
    found = layer.weights_of({"kernel": kernel, "expansion": expansion})
    hidden = 2 * expansion
    edge = (5 - kernel) // 2
    centre = numpy(layer.depthwise_kernel)[edge : 5 - edge, edge : 5 - edge, :hidden]
    np.testing.assert_array_equal(found["depthwise.kernel"][:, :, 0], centre[..., 0])
    assert found["project.kernel"].shape == (1, 1, hidden, 8)
    assert ("expand.kernel" in found) == (expansion > 1)
    assert ("se.reduce.kernel" in found) == (squeeze > 0)
    if expansion > 1:
        np.testing.assert_array_equal(found["expand.kernel"], numpy(layer.expand_kernel))
    if squeeze:
        assert layer.se is not None
        reduce, expand = found["se.reduce.kernel"], found["se.expand.kernel"]
        np.testing.assert_array_equal(reduce, numpy(layer.se.reduce_kernel)[:hidden])
        np.testing.assert_array_equal(expand, numpy(layer.se.expand_kernel)[:, :hidden])
        assert found["se.expand.bias"].shape == (hidden,)


def test_a_block_is_made_again_from_its_configuration() -> None:
    layer = SuperBlock((3, 5), (3, 6), 8, 2, "relu6", 4, False, {"momentum": 0.8, "epsilon": 1e-2})
    again = SuperBlock.from_config(keras.saving.deserialize_keras_object(layer.get_config()))
    assert again.get_config() == layer.get_config()
    assert [(norm.momentum, norm.epsilon) for norm in again.norms()] == [(0.8, 1e-2)] * 3
    # A stride leaves the larger half of an odd number; what is not known stays so.
    assert layer.compute_output_shape((None, 7, None, 8)) == (None, 4, None, 8)
    y = again(normal(2, 7, 6, 4), gates(0, 1, 1))
    assert tuple(y.shape) == again.compute_output_shape((2, 7, 6, 4))
    with pytest.raises(ValueError, match="(?s)Expected a fixed number.*Received: None.*Fix"):
        SuperBlock((3,), (3,), 8, 1, "relu", 0, False).build((None, 6, 6, None))


@pytest.fixture
def layer() -> Gates:
    return Gates(
        {
            "kernel": [[1, 1, 1], [1, 1, 0]],
            "expansion": [[1, 1], [1, 1]],
            "skip": [[1, 1], [1, 0]],
        }
    )


def test_gates_start_even_over_joint_options(layer: Gates) -> None:
    p = {kind: numpy(value) for kind, value in layer.probabilities().items()}
    # First choice: 3 kernels x 2 expansions and skip, so skip is one of 7.
    np.testing.assert_allclose(p["skip"][0], (6 / 7, 1 / 7), rtol=1e-6)
    np.testing.assert_allclose(p["kernel"][0], 1 / 3, rtol=1e-6)
    assert p["skip"][1].tolist() == [1, 0] and p["kernel"][1, 2] == 0


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="gradients by tf.GradientTape")
def test_gates_are_one_hot_forwards_with_a_softmax_gradient(layer: Gates) -> None:
    import tensorflow as tf

    noise = normal(2, 3)
    hard = np.eye(3, dtype=np.float32)[[1, 0]]
    zero = np.zeros((2, 2), np.float32)
    keep = np.eye(2, dtype=np.float32)[[0, 0]]
    layer.set_draw(
        GateDraw(
            {"kernel": hard, "expansion": keep, "skip": keep},
            {"kernel": noise, "expansion": zero, "skip": zero},
        )
    )
    layer.temperature.assign(0.7)
    weight = normal(2, 3)
    logits = layer.logits["kernel"].value
    with tf.GradientTape() as tape:
        tape.watch(logits)
        values = layer.decisions(differentiable=True)["kernel"]
        total = tf.reduce_sum(values * weight)
    # Hard plus soft minus soft: exact but for one rounding of float32.
    np.testing.assert_allclose(numpy(values), hard, atol=1e-6)
    z = (numpy(layer.logits["kernel"]).astype(float) + noise) / 0.7
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    by_hand = p * (weight - (p * weight).sum(1, keepdims=True)) / 0.7
    np.testing.assert_allclose(numpy(tape.gradient(total, logits)), by_hand, rtol=1e-4, atol=1e-6)


def test_a_pointwise_convolution_is_a_convolution() -> None:
    x, kernel = normal(2, 5, 4, 6), normal(1, 1, 6, 3)
    y = pointwise_conv(ops.convert_to_tensor(x), ops.convert_to_tensor(kernel))
    assert tuple(y.shape) == (2, 5, 4, 3)
    expected = ops.conv(ops.convert_to_tensor(x), kernel, 1, "same")
    np.testing.assert_allclose(numpy(y), numpy(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the fast form is TensorFlow's")
def test_a_pointwise_convolution_has_its_gradients_at_any_width() -> None:
    import tensorflow as tf

    x, kernel, weight = tf.constant(normal(2, 5, 4, 6)), tf.constant(normal(1, 1, 6, 3)), normal(3)

    @tf.function  # type: ignore[untyped-decorator]
    def gradients(form: Any, count: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = form(first(x, count, axis=3), first(kernel, count, axis=2))
            total = tf.reduce_sum(tf.sin(y) * weight)
        return tape.gradient(total, [x, kernel])

    for count in (tf.constant(4), tf.constant(6)):
        fast = gradients(pointwise_conv, count)
        slow = gradients(lambda a, b: tf.nn.conv2d(a, b, 1, "SAME"), count)
        for one, other in zip(fast, slow, strict=True):
            np.testing.assert_allclose(numpy(one), numpy(other), rtol=1e-4, atol=1e-5)


def test_a_pointwise_layer_is_saved_and_loaded(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((5, 4, 6)), PointwiseConv2D(3, use_bias=True)])
    plain = keras.layers.Conv2D(3, 1)
    x = normal(2, 5, 4, 6)
    plain.build(x.shape)
    plain.set_weights([normal(1, 1, 6, 3), normal(3)])
    model.set_weights(plain.get_weights())
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(numpy(again(x)), numpy(plain(x)), rtol=1e-5, atol=1e-5)
