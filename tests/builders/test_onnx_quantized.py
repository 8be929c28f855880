"""ONNX files of networks with number formats compute what whole numbers do, bit for bit."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from nas.architecture.number_formats import parse_format
from nas.architecture.references.named import reference
from nas.architecture.text import parse
from nas.architecture.weights import random_weights
from nas.builders.integer_network import integer_scores
from nas.builders.onnx_codes import stored_type
from nas.builders.onnx_integer import stored_bytes
from nas.builders.onnx_model import chain_to_onnx, to_onnx, to_onnx_bytes
from nas.builders.onnx_quantized import emulates_formats
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
    # 12 bits of what is read are no byte: the network is emulated.
    network = parse("in_s6 cn_k3_s1_c64_nno_wqb4_aqf8.1 gap fc_c3_wqb4_aqf12.4")
    model = to_onnx(network, random_weights(network))
    kernel = next(t for t in model.graph.initializer if t.name == "0.conv.kernel")
    assert kernel.data_type == TensorProto.INT4
    assert kernel.ByteSize() < 3 * 3 * 3 * 64  # in int32 fields or raw, fewer than int8 takes
    onnx.checker.check_model(model, full_check=True)


def test_files_of_emulated_formats_are_known_and_their_layers_are_not_timed() -> None:
    # Depthwise convolutions are no matrix products.
    emulated = parse("in_s6 cn_k3_s1_c4_nno_wqb4_aqf8.1 dw_k3_s1_nno_wqb4_aqb8 gap fc_c3_wqb4_aqb8")
    whole = parse("in_s6 cn_k3_s1_c4_nno_wqb4_aqf8.1 gap fc_c3_wqb4_aqb8")
    plain = parse("in_s6 cn_k3_s1_c4_nno gap fc_c3")
    for one, is_emulated in ((emulated, True), (whole, False), (plain, False)):
        data = to_onnx_bytes(one, random_weights(one))
        assert emulates_formats(data) is is_emulated
        assert list(without_emulated({"a": data})) == ([] if is_emulated else ["a"])
    assert not emulates_formats(b"another file")  # whoever measures it says what it is
    assert chain_to_onnx(plain.layers, (6, 6, 3))
    for network in (emulated, whole):
        with pytest.raises(ArchitectureError, match="in a graph that is timed") as error:
            chain_to_onnx(network.layers, (6, 6, 3))
        assert "weights b4, activations f8.1" in error.value.received


def kinds_in_the_runtime(model: onnx.ModelProto, path: Path) -> set[str]:
    """Operators that are left when ONNX Runtime has optimized a graph for this machine."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3  # it warns of kernels that other machines may lack
    data = model.SerializeToString()
    onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return {node.op_type for node in onnx.load(path).graph.node}


FEW_BITS = (
    # All ways of strides, padding and pools; signed and unsigned codes, signs and fixed point.
    "in_s9 cn_k3_s1_c4_valid_nno_wqb1_aqf8.1 mp_k2 cn_k2_s1_c6_valid_nno_wqb1_aqb1 flat "
    "fc_c8_nno_bn_nobias_wqb1_aqb1 fc_c3_nobias_x0.125_wqb1_aqb1",
    "in_s9 cn_k3_s2_c6_nre_wqb2_aqf8.1 cn_k5_s1_c5_bias_nre_wqu3_aqu2 cn_k1_s1_c7_nre_wqb4l_aqu4l "
    "cn_k1_s2_c7_nre_wqf7.2_aqf6.3 gap fc_c3_wqb7_aqu7_bqb4",
    "in_s9 cn_k3_s1_c4_nre_wqf5.2_aqf8.1_nqf8.4 res[cn_k3_s1_c4_nno_wqb3_aqb5] ap_k2 flat "
    "fc_c3_wqf6.2t_aqf7.3tw_bqf8.4",
    # Codes of 8 bits are stored unsigned.
    "in_s9 cn_k3_s1_c4_nre_wqb8_aqf8.1 cn_k3_s2_c4_nre_wqu8_aqu8 gap fc_c3_wqf8.2_aqb8",
)


@pytest.mark.parametrize("text", FEW_BITS)
def test_formats_of_up_to_eight_bits_are_multiplied_as_bytes(text: str, tmp_path: Path) -> None:
    network = parse(text)
    model = to_onnx(network, random_weights(network, seed=1))
    onnx.checker.check_model(model, full_check=True)
    kinds = kinds_in_the_runtime(model, tmp_path / "runs.onnx")
    assert "MatMulInteger" in kinds and not kinds & {"Conv", "FusedConv", "Gemm", "MatMul"}
    found, expected = compared(text, network.image_size)
    assert np.array_equal(found, expected)


def test_codes_that_x86_could_cut_in_sums_of_two_are_stored_unsigned() -> None:
    # 2 * 255 * 64 is below 2^15; 2 * 255 * 127 is not.
    for text, low, high, kind, zero in (
        ("b7", -63, 63, np.int8, 0),
        ("f7.2", -64, 63, np.int8, 0),
        ("b8", -127, 127, np.uint8, 128),
        ("f8.2", -128, 127, np.uint8, 128),
        ("u7", 0, 127, np.uint8, 0),
        ("u8", 0, 255, np.uint8, 0),
        ("b1", -1, 1, np.int8, 0),
    ):
        found = parse_format(text)
        assert found is not None
        stored, own_zero = stored_bytes(np.array([low, high]), found)
        assert (stored.dtype, own_zero) == (kind, zero)
        assert (stored.astype(int) - own_zero).tolist() == [low, high]


def test_sums_of_bytes_are_exact_at_the_ends_of_their_ranges() -> None:
    # All products have the greatest size there is, which 16 bits could not add up.
    for weights in ("b7", "b8", "u8"):
        network = parse(f"in_s16 cn_k3_s1_c16_valid_nno_wq{weights}_aqu8 gap fc_c3_wqb4_aqb8")
        found = random_weights(network, seed=1)
        found["0.conv.kernel"] = np.ones_like(found["0.conv.kernel"])
        white = np.full((1, 16, 16, 3), 255, np.float32)
        own = scores(to_onnx(network, found), white)
        assert np.array_equal(own, integer_scores(network, found, white))


def test_parts_that_are_float32_may_stand_beside_bytes() -> None:
    text = "in_s8 cn_k3_s1_c6_nre cn_k3_s1_c6_nre_wqb4_aqu4 gap fc_c3"
    network = parse(text)
    weights = random_weights(network, seed=1)
    kinds = {node.op_type for node in to_onnx(network, weights).graph.node}
    assert {"Conv", "MatMulInteger", "Gemm"} <= kinds


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnv_w1a1", "cnv_w2a2"])
def test_bytes_agree_on_a_whole_set_of_images(name: str) -> None:
    network = reference(name)
    weights = random_weights(network, seed=1)
    own = images(100, network.image_size)
    data = to_onnx(network, weights)
    assert np.array_equal(scores(data, own), integer_scores(network, weights, own))
