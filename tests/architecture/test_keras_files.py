"""A user's own Keras files: the same network as Keras' model, or refused by the layer's name."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from nas.architecture.keras_files.joined import squeeze_of
from nas.architecture.keras_files.reading import KerasNetwork, read_keras
from nas.architecture.spec import (
    Activate,
    AveragePool,
    Conv,
    GlobalAveragePool,
    Layer,
    Residual,
    SqueezeExcite,
)
from nas.architecture.text import parse, to_text
from nas.architecture.weights import random_weights
from nas.builders.keras_model import build_model, portable_model
from nas.cost.counts import architecture_cost
from nas.errors import ArchitectureError, InputError
from nas.interface.networks import network_for_images, read_network
from tests.interface.test_networks import images
from tests.support.keras_files import entry, written

# The same float32 products in layers that are put together otherwise: a few 1e-6.
TOLERANCE = 1e-4
Saved = Callable[[keras.Model], Path]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Writes a model and gives its path."""

    def save(model: keras.Model) -> Path:
        path = tmp_path / "own.keras"
        model.save(path)
        return path

    return save


def scaling() -> Any:
    """As the networks here scale their pixels."""
    return layers.Rescaling(1 / 127.5, -1)


def tutorial() -> keras.Model:
    """As beginners' pages have it: no padding, activations inside, a softmax at the end."""
    return keras.Sequential(
        [
            layers.Input((20, 20, 3)),
            scaling(),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(12, 3, padding="same", activation="elu"),
            layers.BatchNormalization(),
            layers.AveragePooling2D(3),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(16, activation="tanh"),
            layers.Dense(5),
        ]
    )


def mobile() -> keras.Model:
    """Depthwise and separable layers, a stride behind zeros, a gate, and a sum of equal shapes."""
    x = image = layers.Input((20, 20, 3))
    x = scaling()(x)
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    y = layers.Activation("hard_swish")(layers.BatchNormalization()(y))
    gate = layers.GlobalAveragePooling2D()(y)
    gate = layers.Reshape((1, 1, 8))(gate)
    gate = layers.Conv2D(4, 1, activation="relu")(gate)
    gate = layers.Dense(8, activation="sigmoid")(gate)
    y = layers.Multiply()([y, gate])
    x = layers.Add()([x, layers.Conv2D(8, 1)(y)])
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.SeparableConv2D(6, 3, strides=2, padding="same")(x)
    return keras.Model(image, layers.Dense(4)(layers.GlobalMaxPooling2D()(x)))


def nested() -> keras.Model:
    """A model inside of a model."""
    inside = keras.Sequential([layers.Conv2D(4, 3), layers.Activation("silu")])
    body = [scaling(), inside, layers.GlobalAveragePooling2D()]
    return keras.Sequential([layers.Input((9, 9, 3)), *body, layers.Dense(3)])


@pytest.mark.parametrize("make", [tutorial, mobile, nested])
def test_what_is_read_computes_what_keras_computes(
    make: Callable[[], keras.Model], saved: Saved
) -> None:
    theirs = make()
    network = read_keras(saved(theirs)).architecture
    ours = build_model(network)
    assert parse(to_text(network)) == network
    assert architecture_cost(network).params_with_statistics == theirs.count_params()
    rng = np.random.default_rng(0)
    # Above 0, as variances are.
    weights = [rng.uniform(0.1, 0.5, w.shape).astype(np.float32) for w in theirs.get_weights()]
    theirs.set_weights(weights)
    # A 1x1 convolution there may be a matrix here.
    pairs = zip(ours.get_weights(), weights, strict=True)
    ours.set_weights([theirs.reshape(own.shape) for own, theirs in pairs])
    size = network.image_size
    x = rng.uniform(0, 255, (2, size, size, 3)).astype(np.float32)
    expected, got = (
        keras.ops.convert_to_numpy(model(x, training=False)) for model in (theirs, ours)
    )
    assert np.abs(got - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_a_shortcut_of_layers_is_read(saved: Saved) -> None:
    image = layers.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same")(image)
    way = layers.Conv2D(12, 3, strides=2, padding="same")(x)
    x = layers.Add()([layers.Conv2D(12, 1, strides=2)(x), layers.BatchNormalization()(way)])
    x = layers.Activation("relu")(x)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    network = read_keras(saved(model)).architecture
    (residual,) = (layer for layer in network.layers if isinstance(layer, Residual))
    assert (len(residual.layers), len(residual.shortcut)) == (1, 1)
    assert architecture_cost(network).params_with_statistics == model.count_params()


def test_our_own_files_are_read_back(saved: Saved) -> None:
    """`model.keras` of a run is written in layers of Keras alone."""
    network = parse(
        "in_s16 cn_k3_s2_c8_nhs ir_k3_s1_e3_c8_se0.25 wb_k3_s2_x20_q3_c16_nsw_qnsw_sigmoid "
        "rb_k3_w8_p0.1 res[sp_k3_s2_c8 | cn_k1_s2_c8_nno_nobn_bias] act_nre mp_k2 gap fc_c4"
    )
    found = read_keras(saved(portable_model(network, random_weights(network)))).architecture
    own, back = architecture_cost(network), architecture_cost(found)
    assert (back.params, back.macs, back.memory_bytes) == (own.params, own.macs, own.memory_bytes)
    inside = [inner for x in found.layers for inner in (x, *getattr(x, "layers", ()))]
    assert sum(isinstance(layer, SqueezeExcite) for layer in inside) == 2


def test_what_the_training_replaces_is_told(saved: Saved) -> None:
    model = keras.Sequential(
        [
            layers.Input((None, None, 3)),
            layers.Rescaling(1 / 255, name="halves"),
            layers.Conv2D(4, 3, kernel_regularizer="l2", name="ruled"),
            layers.BatchNormalization(epsilon=1e-5, name="fine"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax", name="last"),
        ]
    )
    path = saved(model)
    found: KerasNetwork = read_keras(path, 24)
    told = " ".join(found.notes)
    for name in ("weights are not read", "halves", "ruled", "1e-05 of fine", "softmax of last"):
        assert name in told
    assert found.architecture == parse("in_s24 cn_k3_s1_c4_nno_bias_valid gap fc_c3")
    assert found.architecture.name == "own"
    with pytest.raises(ArchitectureError, match="--image_size"):
        read_keras(path)
    assert network_for_images(str(path), {}, dataset=images(3, 24)).notes == found.notes
    with pytest.raises(InputError, match="10 classes") as refused:
        network_for_images(str(path), {}, dataset=images(10))
    assert "3 classes" in refused.value.received and str(path) in refused.value.received


def test_a_sigmoid_of_the_classifier_is_left_out(tmp_path: Path) -> None:
    flat, act = entry("Flatten"), entry("Activation", activation="sigmoid")
    inside = entry("Dense", units=2, activation="sigmoid")
    for place, ends in enumerate(([inside], [entry("Dense", units=2), act])):
        found = read_keras(written(tmp_path / f"{place}.keras", [flat, *ends], (8, 8, 3)))
        assert found.architecture == parse("in_s8 flat fc_c2")
        assert "the sigmoid of odd is left out" in " ".join(found.notes)


@pytest.mark.parametrize("act", ["relu", "tanh", "hard_sigmoid"])
def test_other_activations_of_the_classifier_are_refused(act: str, tmp_path: Path) -> None:
    ends = [entry("Flatten"), entry("Dense", units=2, activation=act)]
    check_refused(written(tmp_path / "own.keras", ends, (8, 8, 3)), f"{act} behind it in layer")


def test_a_sigmoid_before_the_softmax_is_refused(tmp_path: Path) -> None:
    ends = [entry("Flatten"), entry("Dense", units=2, activation="sigmoid"), entry("Softmax")]
    check_refused(written(tmp_path / "own.keras", ends, (8, 8, 3)), "sigmoid behind it in layer")


def test_a_factor_behind_a_dense_layer_is_its_scale(saved: Saved) -> None:
    network = parse("in_s16 cn_k3_s2_c4 gap fc_c8_nre_x0.5 fc_c3_nobias_x0.125")
    portable = portable_model(network, random_weights(network))
    assert read_keras(saved(portable)).architecture == network


MEAN, SHAPE = AveragePool(8), (8, 8, 3)
REDUCE = Conv(1, 1, 4, "relu", batch_norm=False, bias=True)
EXPAND = Conv(1, 1, 3, "sigmoid", batch_norm=False, bias=True)


def test_gates_of_both_sigmoids_are_read() -> None:
    assert squeeze_of([MEAN, REDUCE, EXPAND], SHAPE) == SqueezeExcite(4, "relu", True)
    # Without padding, a kernel of one pixel is the same.
    gate = [MEAN, replace(REDUCE, valid=True), replace(EXPAND, valid=True)]
    assert squeeze_of(gate, SHAPE) == SqueezeExcite(4, "relu", True)
    hard = replace(EXPAND, activation="hard_sigmoid")
    assert squeeze_of([MEAN, REDUCE, hard], SHAPE) == SqueezeExcite(4, "relu", False)


@pytest.mark.parametrize(
    "gate",
    [
        [],
        [MEAN, EXPAND],
        [MEAN, REDUCE, EXPAND, Activate("relu")],
        [AveragePool(4), REDUCE, EXPAND],
        [GlobalAveragePool(), REDUCE, EXPAND],
        [MEAN, Activate("relu"), EXPAND],
        [MEAN, REDUCE, Activate("sigmoid")],
        [MEAN, replace(REDUCE, kernel=3), EXPAND],
        [MEAN, replace(REDUCE, bias=False), EXPAND],
        [MEAN, replace(REDUCE, batch_norm=True), EXPAND],
        [MEAN, REDUCE, replace(EXPAND, bias=False)],
        [MEAN, REDUCE, replace(EXPAND, activation="relu")],
        [MEAN, REDUCE, replace(EXPAND, channels=1)],
    ],
)
def test_other_gates_are_no_squeeze_and_excitation(gate: list[Layer]) -> None:
    assert squeeze_of(gate, SHAPE) is None


def test_product_of_two_ways_with_layers_is_refused(saved: Saved) -> None:
    image = layers.Input((8, 8, 3))
    gate = layers.Dense(3, activation="sigmoid")(
        layers.GlobalAveragePooling2D(keepdims=True)(image)
    )
    product = layers.Multiply(name="odd")([layers.ReLU()(image), gate])
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(product)))
    check_refused(saved(model), "another product in layer 'odd'")


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):
    """A class of a user's own."""

    def call(self, x: Any) -> Any:
        return 2 * x


def behind(*made: Any) -> keras.Model:
    return keras.Sequential([layers.Input((8, 8, 3)), *made, layers.Flatten(), layers.Dense(2)])


def concatenated() -> keras.Model:
    image = layers.Input((8, 8, 3))
    x = layers.Concatenate(name="odd")([image, layers.Conv2D(3, 1)(image)])
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))


def shared() -> keras.Model:
    image, twice = layers.Input((8, 8, 3)), layers.Conv2D(3, 3, padding="same", name="odd")
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(twice(twice(image)))))


def crossed() -> keras.Model:
    """The output of a layer goes around the place where its way has ended."""
    image = layers.Input((8, 8, 3))
    first = layers.Conv2D(3, 1, name="odd")(image)
    second = layers.Add()([image, layers.Conv2D(3, 1)(first)])
    third = layers.Add()([first, layers.Conv2D(3, 1)(second)])
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(third)))


def broadcast() -> keras.Model:
    image = layers.Input((8, 8, 3))
    several = layers.Conv2D(4, 3, padding="same")(image)
    one = layers.Conv2D(1, 3, padding="same")(several)
    added = layers.Add(name="odd")([several, one])
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(added)))


def with_number() -> keras.Model:
    image = layers.Input((8, 8, 3))
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(image + 3.0)))


def two_outputs() -> keras.Model:
    image = layers.Input((8, 8, 3))
    flat = layers.Flatten()(image)
    return keras.Model(image, [layers.Dense(2)(flat), layers.Dense(3)(flat)])


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: behind(layers.Lambda(lambda x: 2 * x, name="odd")), "'Lambda' in layer 'odd'"),
        (lambda: behind(Doubled(name="odd")), "'Doubled', a class of its own, in layer 'odd'"),
        (concatenated, "'Concatenate' of 2 inputs in layer 'odd'"),
        (shared, "2 uses of layer 'odd'"),
        (crossed, "in layer 'odd'"),
        (broadcast, "shape (8, 8, 1) in layer 'odd'"),
        (with_number, "one output and a number"),
        (two_outputs, "1 and 2"),
    ],
)
def test_what_cannot_be_expressed_is_refused_by_the_layers_name(
    make: Callable[[], keras.Model], named: str, saved: Saved
) -> None:
    check_refused(saved(make()), named)


def check_refused(path: Path, named: str) -> None:
    with pytest.raises(InputError) as refused:
        read_keras(path)
    message = str(refused.value)
    assert named in message, message
    assert str(path) in message
    assert all(part in message for part in ("Expected", "Received", "Fix"))


CONV: dict[str, Any] = {"filters": 3, "kernel_size": [3, 3], "strides": [1, 1]}
END = [entry("Flatten"), entry("Dense", units=2)]


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (entry("RandomFlip"), "'RandomFlip' in layer 'odd'"),
        (entry("SpatialDropout2D", rate=0.1), "'SpatialDropout2D' in layer 'odd'"),
        (entry("Conv2D", **CONV | {"kernel_size": [3, 1]}), "`kernel_size` of Conv2D"),
        (entry("Conv2D", **CONV, dilation_rate=[2, 2]), "`dilation_rate`"),
        (entry("Conv2D", **CONV, groups=3), "`groups`"),
        (entry("Conv2D", **CONV, activation="gelu"), "'gelu'"),
        (entry("Conv2D", **CONV, activation={"class_name": "function"}), "`activation`"),
        (entry("Conv2D", **CONV, padding="causal"), "`padding`"),
        (entry("Conv2D", **CONV, data_format="channels_first"), "`data_format`"),
        (entry("DepthwiseConv2D", **CONV, depth_multiplier=2), "`depth_multiplier`"),
        (entry("MaxPooling2D", pool_size=[3, 3], strides=[2, 2]), "`strides`"),
        (entry("AveragePooling2D", pool_size=[3, 3], padding="same"), "`padding`"),
        (entry("LeakyReLU", negative_slope=0.3), "`negative_slope`"),
        (entry("ReLU", max_value=1.0), "`max_value`"),
        (entry("ReLU", threshold=0.5), "`threshold`"),
        (entry("ELU", alpha=2.0), "`alpha`"),
        (entry("BatchNormalization", scale=False), "`scale`"),
        (entry("BatchNormalization", axis=1), "`axis`"),
        (entry("ZeroPadding2D", padding=[[1, 1], [1, 1]]), "another layer in layer 'odd'"),
        (entry("Reshape", target_shape=[192]), "Reshape to (192,)"),
        (entry("Dropout", rate=0.1, noise_shape=[1]), "`noise_shape`"),
        (entry("Softmax"), "softmax at the end alone"),
        (entry("Dropout", rate=1.0), "1.0 in layer 'odd'"),
        (entry("Conv2D", **CONV | {"filters": 70_000}), "70000 in layer 'odd'"),
        (entry("Conv2D", **CONV | {"kernel_size": [9, 9]}, padding="valid"), "in layer 'odd'"),
        (entry("MaxPooling2D", pool_size=[9, 9]), "in layer 'odd'"),
        # As `keras.ops.reshape` has it, and as a file of no Keras.
        (entry("Reshape", newshape=[-1, 288]), "keras.layers.Reshape and not by keras.ops"),
        (entry("Dropout"), "KeyError: \"'rate'\" in layer 'odd'"),
        (entry("Rescaling", scale=2.0) | {"module": "mine"}, "a class of its own"),
    ],
)
def test_layers_that_cannot_be_expressed_are_refused_by_their_arguments(
    layer: dict[str, Any], named: str, tmp_path: Path
) -> None:
    check_refused(written(tmp_path / "own.keras", [layer, *END], (8, 8, 3)), named)


@pytest.mark.parametrize(
    ("entries", "shape", "named"),
    [
        (END, (8, 6, 3), "square"),
        (END, (8, 8, 1), "3 channels"),
        (END, (8, 8), "height, width and 3"),
        (END[:1], (8, 8, 3), "ends in Dense"),
        ([entry("Conv2D", **CONV), entry("Rescaling", scale=2.0), *END], (8, 8, 3), "Rescaling of"),
        ([entry("ZeroPadding2D", padding=[[1, 1], [1, 1]])], (8, 8, 3), "behind ZeroPadding2D"),
        ([*END, entry("Rescaling", scale=2.0, offset=1.0)], (8, 8, 3), "the offset 1.0 behind fc"),
        ([*END, entry("Rescaling", scale=0.0)], (8, 8, 3), "0.0 in layer 'odd'"),
        (
            [entry("ZeroPadding2D", padding=[[0, 2], [1, 1]]), entry("Conv2D", **CONV), *END],
            (8, 8, 3),
            "[[0, 2], [1, 1]] in layer 'odd'",
        ),
        (
            [
                entry("ZeroPadding2D", padding=[[1, 1], [1, 1]]),
                entry("Conv2D", **CONV, padding="same"),
                *END,
            ],
            (8, 8, 3),
            "another layer in layer 'odd'",
        ),
    ],
)
def test_models_of_something_else_are_refused(
    entries: list[dict[str, Any]], shape: tuple[int, ...], named: str, tmp_path: Path
) -> None:
    check_refused(written(tmp_path / "own.keras", entries, shape), named)


@pytest.mark.parametrize(
    "config",
    [
        b"{",
        b"[]",
        b"\xff",
        b'{"class_name": "Mine", "config": {}}',
        b'{"class_name": "Sequential"}',
        b'{"class_name": "Sequential", "config": {"layers": 3}}',
        b'{"class_name": "Functional", "config": {"layers": [], "output_layers": [["a", 0, 0]], '
        b'"input_layers": [["a", 0, 0]]}}',
        b" " * 2_000_001,
    ],
)
def test_files_of_something_else_are_refused(config: bytes, tmp_path: Path) -> None:
    path = tmp_path / "own.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
    with pytest.raises(InputError) as refused:
        read_keras(path, 32)
    assert str(path) in str(refused.value)


def test_a_layer_that_needs_itself_is_refused(tmp_path: Path) -> None:
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}}
    layer = {
        "class_name": "Add",
        "module": "keras.layers",
        "name": "a",
        "config": {"name": "a"},
        "inbound_nodes": [{"args": [[tensor, tensor]], "kwargs": {}}],
    }
    config = {"layers": [layer], "input_layers": [["a", 0, 0]], "output_layers": [["a", 0, 0]]}
    path = tmp_path / "own.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": config}))
    with pytest.raises(InputError, match="needs itself"):
        read_keras(path, 32)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.keras"
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"config\.json"):
        read_network(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.json", b"{}")
    with pytest.raises(InputError, match=r"config\.json"):
        read_network(str(path))
