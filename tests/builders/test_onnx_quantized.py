"""ONNX files of networks with number formats compute what whole numbers do, bit for bit."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from nas.architecture.number_formats import parse_format
from nas.architecture.text import parse
from nas.architecture.weights import random_weights
from nas.builders.integer_network import integer_scores
from nas.builders.onnx_model import chain_to_onnx, to_onnx, to_onnx_bytes
from nas.builders.onnx_quantized import emulates_formats, stored_type
from nas.errors import ArchitectureError
from nas.hardware.measurement import without_emulated

FORMATS = (
    *("b1", "b2", "b3", "b4", "b8", "u1", "u2", "u4", "u8", "b1l", "b4l", "u3l", "u8l"),
    *("f4.2", "f8.1", "f8.4", "f8.1t", "f8.4w", "f6.3tw", "f12.4", "f16.6", "f12.4t", "f12.4w"),
    "f18.6",
)

WEIGHTS = ("b1", "b4", "f8.4", "b3l", "u2", "f12.4")


def scores(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    data = model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"image": image[None]})[0] for image in images])


def images(count: int, size: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (count, size, size, 3)).astype(np.float32)


def compared(text: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    network = parse(text)
    weights = random_weights(network, seed=1)
    own = images(3, size)
    return scores(to_onnx(network, weights), own), integer_scores(network, weights, own)


@pytest.mark.parametrize(
    ("read", "weights"), list(zip(FORMATS, itertools.cycle(WEIGHTS), strict=False))
)
def test_each_format_of_what_is_read_gives_the_same_scores(read: str, weights: str) -> None:
    # Sums stay below 2^24, where float32 holds every whole number.
    text = (
        f"in_s6 cn_k3_s1_c4_nno_wq{weights}_aqf8.1 cn_k3_s2_c5_bias_nre_wq{weights}_aq{read} "
        f"gap fc_c3_wq{weights}_aq{read}"
    )
    found, expected = compared(text, 6)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "text",
    [
        # Depthwise and separable convolutions, an inverted residual and a residual of its own.
        "in_s8 cn_k3_s1_c6_nre_wqb8_aqf8.1 dw_k3_s2_nre_wqb4_aqu4 sp_k3_s1_c8_nno_wqb2_aqb1 gap "
        "fc_c3_wqb8_aqb8",
        "in_s8 cn_k3_s1_c6_nr6_wqb8_aqf8.1 ir_r2_k3_s1_e3_c6_nre_wqb4_aqb8 gap fc_c3_wqb4_aqb8",
        "in_s8 cn_k3_s1_c4_wqb4_aqf8.1 res[cn_k3_s1_c4_nno_wqb4_aqu8] gap fc_c3_wqb4_aqb8",
        # Pools of both kinds, a map that is not divisible, no padding, and batch normalisation,
        # biases and factors in all ways.
        "in_s9 cn_k3_s1_c4_valid_nno_wqb1_aqf8.1 mp_k2 cn_k2_s1_c6_valid_nno_wqb1_aqb1 flat "
        "fc_c8_nno_bn_nobias_wqb1_aqb1 fc_c3_nobias_x0.125_wqb1_aqb1",
        "in_s9 cn_k3_s1_c4_nre_wqf8.4_aqf8.1_nqf8.4 ap_k2 cn_k3_s1_c5_nre_nobn_bias_wqf8.4_aqf8.4"
        "_bqf8.4 flat fc_c8_nre_bn_nobias_wqf8.4_aqf8.4_nqf8.4 fc_c3_wqf8.4_aqf8.4_bqb4",
    ],
)
def test_networks_of_every_operation_give_the_same_scores(text: str) -> None:
    network = parse(text)
    found, expected = compared(text, network.image_size)
    assert np.array_equal(found, expected)


def test_network_with_formats_of_weights_alone_keeps_its_pixels_and_its_sums() -> None:
    # Products are those of float32 numbers then, which are summed in another order than NumPy's.
    text = "in_s6 cn_k3_s1_c4_bias_nobn_nre_wqb4 cn_k3_s1_c4_nobn_bias_nre_aqu4 gap fc_c3_wqb4"
    network = parse(text)
    weights = random_weights(network, seed=1)
    own = images(3, 6)
    found = scores(to_onnx(network, weights), own)
    plain = parse("in_s6 cn_k3_s1_c4_bias_nobn_nre cn_k3_s1_c4_nobn_bias_nre gap fc_c3")
    expected = scores(to_onnx(plain, weights), own)
    assert np.abs(found - expected).max() > 1e-3  # it is rounded
    # 4 bits keep 15 values: the network is still much like the one of float32.
    assert np.abs(found - expected).max() < 0.5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("b1", TensorProto.INT4),
        ("b4", TensorProto.INT4),
        ("u4", TensorProto.UINT4),
        ("b5", TensorProto.INT8),
        ("u8", TensorProto.UINT8),
        ("f8.4", TensorProto.INT8),
        ("f4.2", TensorProto.INT4),
        ("f16.6", TensorProto.INT16),
        ("f17.6", None),
    ],
)
def test_kernels_are_stored_in_the_fewest_bits_that_onnx_has(text: str, kind: int | None) -> None:
    found = parse_format(text)
    assert found is not None and stored_type(found) == kind


def test_a_kernel_of_four_bits_takes_half_a_byte_a_weight() -> None:
    network = parse("in_s6 cn_k3_s1_c64_nno_wqb4_aqf8.1 gap fc_c3_wqb4_aqb8")
    model = to_onnx(network, random_weights(network))
    kernel = next(t for t in model.graph.initializer if t.name == "0.conv.kernel")
    assert kernel.data_type == TensorProto.INT4
    assert kernel.ByteSize() < 3 * 3 * 3 * 64  # in int32 fields or raw, fewer than int8 takes
    onnx.checker.check_model(model, full_check=True)


def test_files_of_emulated_formats_are_known_and_their_layers_are_not_timed() -> None:
    network = parse("in_s6 cn_k3_s1_c4_nno_wqb4_aqf8.1 gap fc_c3_wqb4_aqb8")
    plain = parse("in_s6 cn_k3_s1_c4_nno gap fc_c3")
    for one, emulated in ((network, True), (plain, False)):
        assert emulates_formats(to_onnx_bytes(one, random_weights(one))) is emulated
        assert list(without_emulated({"a": to_onnx_bytes(one, random_weights(one))})) == (
            [] if emulated else ["a"]
        )
    assert not emulates_formats(b"another file")  # whoever measures it says what it is
    assert chain_to_onnx(plain.layers, (6, 6, 3))
    with pytest.raises(ArchitectureError, match="in a graph that is timed") as error:
        chain_to_onnx(network.layers, (6, 6, 3))
    assert "weights b4, activations f8.1" in error.value.received
