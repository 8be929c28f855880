"""The ONNX writer against float64 numpy and scipy, one operation at a time and all together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from nas.architecture.activations import ACTIVATIONS
from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import (
    ActivationOp,
    ConvOp,
    DenseOp,
    DropoutOp,
    FlattenOp,
    NormOp,
    Op,
    PoolOp,
    ResidualOp,
    SqueezeExciteOp,
)
from nas.architecture.spec import Architecture, Conv, MBConv, Skip
from nas.architecture.text import parse
from nas.architecture.weights import random_weights
from nas.builders.onnx_model import chain_to_onnx, to_onnx, to_onnx_bytes
from nas.errors import ArchitectureError

Weights = dict[str, np.ndarray]
# float32 sums of up to some thousand products against float64: a few 1e-6 of the largest value.
# A pad on the wrong side, a lost activation or an unfolded statistic differs by above 1e-2.
RELATIVE_TOLERANCE = 2e-5


def activate(name: str, x: np.ndarray) -> np.ndarray:
    forms: dict[str, Callable[[], np.ndarray]] = {
        "none": lambda: x,
        "relu": lambda: np.maximum(x, 0),
        "relu6": lambda: np.clip(x, 0, 6),
        "hard_swish": lambda: x * np.clip(x + 3, 0, 6) / 6,
        "swish": lambda: x / (1 + np.exp(-x)),
        "leaky_relu": lambda: np.where(x > 0, x, 0.2 * x),
        "elu": lambda: np.where(x > 0, x, np.expm1(x)),
        # Klambauer et al. 2017, arXiv 1706.02515, equation 2.
        "selu": lambda: 1.05070098735 * np.where(x > 0, x, 1.67326324235 * np.expm1(x)),
        "tanh": lambda: np.tanh(x),
        "sigmoid": lambda: 1 / (1 + np.exp(-x)),
        "hard_sigmoid": lambda: np.clip(x + 3, 0, 6) / 6,
        "softplus": lambda: np.log1p(np.exp(x)),
    }
    return forms[name]()


def convolve(x: np.ndarray, kernel: np.ndarray, op: ConvOp) -> np.ndarray:
    """Convolution of (height, width, channels) by TensorFlow's rule, on scipy's correlation.

    The output's first window starts before the map by half of what is missing, rounded down:
    https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
    """
    from scipy.signal import correlate  # takes a second to load, in each process of tests

    size, (height, width) = kernel.shape[0], x.shape[:2]
    channels = kernel.shape[3]
    # All windows of a generously padded map; those that the rule asks for are picked below.
    padded = np.pad(x, ((size, size), (size, size), (0, 0)))
    every = np.zeros((height + size + 1, width + size + 1, channels))
    for out in range(channels):
        if op.depthwise:
            every[..., out] = correlate(padded[..., out], kernel[:, :, 0, out], "valid")
        else:
            every[..., out] = correlate(padded, kernel[..., out], "valid")[..., 0]
    starts = range_of_whole_windows if op.valid else window_starts
    rows, columns = (starts(n, size, op.stride) + size for n in (height, width))
    return every[rows][:, columns]


def window_starts(length: int, size: int, stride: int) -> np.ndarray:
    missing = size - stride if length % stride == 0 else size - length % stride
    count = int(np.ceil(length / stride))
    return np.arange(count) * stride - max(missing, 0) // 2


def range_of_whole_windows(length: int, size: int, stride: int) -> np.ndarray:
    return np.arange(0, length - size + 1, stride)


def norm(op: ConvOp | DenseOp, x: np.ndarray, weights: Weights) -> np.ndarray:
    if op.bias:
        x = x + weights[f"{op.name}.bias"]
    return activate(op.activation, normalise(op.name, x, weights) if op.batch_norm else x)


def normalise(name: str, x: np.ndarray, weights: Weights) -> np.ndarray:
    gamma, beta, mean, variance = (
        weights[f"{name}.{part}"].astype(np.float64)
        for part in ("gamma", "beta", "mean", "variance")
    )
    return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta


def pool(op: PoolOp, x: np.ndarray) -> np.ndarray:
    if op.kind == "mean":
        return x.mean(axis=(0, 1))
    n = op.size
    height, width, channels = (x.shape[0] // n, x.shape[1] // n, x.shape[2])
    cut = x[: height * n, : width * n]
    windows = cut.reshape(height, n, width, n, channels)
    return windows.max(axis=(1, 3)) if op.kind == "max" else windows.mean(axis=(1, 3))


def run_op(op: Op, x: np.ndarray, weights: Weights) -> np.ndarray:
    match op:
        case ConvOp():
            kernel = weights[f"{op.name}.kernel"].astype(np.float64)
            return norm(op, convolve(x, kernel, op), weights)
        case DenseOp():
            return norm(op, x @ weights[f"{op.name}.kernel"].astype(np.float64), weights)
        case SqueezeExciteOp():
            parts = [
                weights[f"{op.name}.{p}"]
                for p in ("reduce.kernel", "reduce.bias", "expand.kernel", "expand.bias")
            ]
            hidden = activate(op.activation, x.mean(axis=(0, 1)) @ parts[0] + parts[1])
            scores = hidden @ parts[2] + parts[3]
            hard = np.clip(scores + 3, 0, 6) / 6
            return x * (1 / (1 + np.exp(-scores)) if op.gate == "sigmoid" else hard)
        case PoolOp():
            return pool(op, x)
        case ResidualOp():
            return run_ops(op.body, x, weights) + run_ops(op.shortcut, x, weights)
    return run_plain(op, x, weights)


def run_plain(op: Op, x: np.ndarray, weights: Weights) -> np.ndarray:
    match op:
        case FlattenOp():
            return x.reshape(-1)
        case DropoutOp():
            return x
        case ActivationOp():
            return activate(op.activation, x)
        case NormOp():
            return normalise(op.name, x, weights)
    raise AssertionError(op)


def run_ops(ops: tuple[Op, ...], x: np.ndarray, weights: Weights) -> np.ndarray:
    for op in ops:
        x = run_op(op, x, weights)
    return x


def expected_output(network: Architecture, weights: Weights, image: np.ndarray) -> np.ndarray:
    x = image[0].astype(np.float64) / 127.5 - 1
    for layer in lower_architecture(network):
        x = run_ops(layer.ops, x, weights)
    return x


def run(data: bytes, name: str, value: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {name: value})[0][0]


def onnx_output(network: Architecture, weights: Weights, image: np.ndarray) -> np.ndarray:
    y = run(to_onnx_bytes(network, weights), "image", image)
    return y.transpose(1, 2, 0) if y.ndim == 3 else y


def pixels(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (1, size, size, 3)).astype(np.float32)


def check(text: str, seed: int = 0) -> None:
    network = parse(text)
    weights = random_weights(network, seed)
    image = pixels(network.image_size, seed)
    got, wanted = onnx_output(network, weights, image), expected_output(network, weights, image)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= RELATIVE_TOLERANCE * np.abs(wanted).max()
    assert np.ptp(wanted) > 0.01, "a constant would prove nothing"


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride, size", [(1, 8), (1, 9), (2, 8), (2, 9), (3, 8), (3, 10)])
def test_padding_of_convolutions(kernel: int, stride: int, size: int) -> None:
    check(f"in_s{size} cn_k{kernel}_s{stride}_c8_nno")
    check(f"in_s{size} sp_k{kernel}_s{stride}_c8_nno")


def test_padding_by_hand() -> None:
    # Ones, 3x3, stride 2 on 4x4: TensorFlow pads only below and right, so the first window
    # sees 9 pixels, those at one border 6 and the last one 4. White is 1 after scaling.
    network = Architecture(4, (Conv(3, 2, 1, "none", batch_norm=False),))
    kernel = np.zeros((3, 3, 3, 1), np.float32)
    kernel[:, :, 0] = 1
    white = np.full((1, 4, 4, 3), 255, np.float32)
    got = onnx_output(network, {"0.conv.kernel": kernel}, white)
    np.testing.assert_allclose(got[..., 0], [[9, 6], [6, 4]], rtol=1e-6)
    # Mid grey is 0 in the map and so is the padding: were the offset folded too, it would show.
    grey = np.full((1, 4, 4, 3), 127.5, np.float32)
    np.testing.assert_allclose(onnx_output(network, {"0.conv.kernel": kernel}, grey), 0, atol=1e-6)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_activations_over_their_whole_range(name: str) -> None:
    # A 1x1 kernel of 8 spreads the scaled pixels over -8 to 8, past every bend.
    network = Architecture(16, (Conv(1, 1, 3, name, batch_norm=False),))
    image = pixels(16)
    got = onnx_output(
        network, {"0.conv.kernel": 8 * np.eye(3, dtype=np.float32)[None, None]}, image
    )
    x = 8 * (image[0].astype(np.float64) / 127.5 - 1)
    assert x.min() < -7 and x.max() > 7
    np.testing.assert_allclose(got, activate(name, x), atol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "in_s8 cn_k3_s1_c8_bias",
        "in_s8 cn_k3_s1_c8_nhs_nobn_bias gap",
        "in_s9 cn_k3_s1_c8_nre mp_k2",
        "in_s8 mp_k4 cn_k1_s1_c8",
        "in_s6 cn_k3_s1_c8 flat fc_c5",
        "in_s6 flat fc_c16_nre_bn fc_c5_nobias",
        "in_s8 cn_k3_s1_c8 gap drop_p0.5 fc_c4_nhs",
        "in_s8 cn_k3_s1_c8_nsw wb_k3_s1_x20_q3_c8_nsw_qnsw_sigmoid wb_k5_s2_q4_c16_actproject",
        "in_s8 drop_p0.5 cn_k3_s1_c8",
        "in_s9 cn_k3_s2_c8_valid_nre sp_k2_s1_c8_valid dw_k3_s1_valid_bias_nobn_nno",
        "in_s10 cn_k3_s1_c8 dw_k5_s2_nlr ap_k2 norm act_nel flat norm fc_c3",
        "in_s8 norm cn_k3_s1_c8_nno act_nre res[norm cn_k3_s2_c16 | cn_k1_s2_c16_nno_nobn] act_nre",
        "in_s8 res[cn_k3_s1_c8 res[cn_k3_s1_c8 | norm] | cn_k1_s1_c8] gap act_nth fc_c3",
        "in_s8 res[cn_k3_s1_c3 cn_k3_s1_c3_nno] cn_k3_s2_c8",
        "in_s8 skip cn_k3_s1_c8 skip gap fc_c3",
        "in_s8 cn_k3_s1_c8 ir_k5_s1_e3_c8_se0.25_nhs gap",
        "in_s9 cn_k3_s2_c8 ir_k7_s2_e6_c16 ir_k3_s1_e1_c16 ir_k3_s1_e3_c16_noskip",
        "in_s33 cn_k3_s2_c8_nhs ir_r2_k5_s2_e3_c16_se0.5_nhs sp_k3_s2_c24_nre res[cn_k3_s1_c24] "
        "mp_k2 cn_k1_s1_c32 gap drop_p0.2 fc_c7",
    ],
)
def test_operations_against_the_reference(text: str) -> None:
    for seed in range(2):
        check(text, seed)


def test_partial_network_gives_its_map() -> None:
    model = to_onnx(parse("in_s10 cn_k3_s2_c8"), random_weights(parse("in_s10 cn_k3_s2_c8")))
    dims = [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim]
    assert (model.graph.output[0].name, dims) == ("logits", [1, 8, 5, 5])


def test_file_states_what_it_is() -> None:
    network = parse("in_s16 cn_k3_s2_c8 ir_k3_s1_e3_c8_se0.25 gap fc_c3")
    model = to_onnx(network, random_weights(network), metadata={"space": "none"})
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    assert {p.key: p.value for p in model.metadata_props} == {"space": "none"}
    # An initializer that is an input as well keeps runtimes from folding and fusing it.
    assert [i.name for i in model.graph.input] == ["image"]
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Transpose") == 1 and "BatchNormalization" not in kinds


def test_denormal_weights_become_zero() -> None:
    network = parse("in_s8 cn_k3_s1_c8_nobn gap fc_c3")
    weights = random_weights(network)
    weights["2.dense.kernel"] = np.full_like(weights["2.dense.kernel"], 1e-40)
    stored = {i.name: i for i in to_onnx(network, weights).graph.initializer}
    assert not numpy_helper.to_array(stored["2.dense.kernel"]).any()
    for name, tensor in stored.items():
        value = np.abs(numpy_helper.to_array(tensor))
        assert not ((value > 0) & (value < np.finfo(np.float32).tiny)).any(), name


@pytest.mark.parametrize(
    "value, named", [(None, "none"), (np.ones(1, np.float32), r"shape \(1,\)")]
)
def test_missing_and_misshapen_weights_are_named(value: np.ndarray | None, named: str) -> None:
    # A variance of shape (1,) would broadcast: a network that loads, runs and is wrong.
    network = parse("in_s8 cn_k3_s1_c8 gap fc_c3")
    weights = random_weights(network)
    if value is None:
        del weights["0.conv.variance"]
    else:
        weights["0.conv.variance"] = value
    with pytest.raises(
        ArchitectureError, match=rf"`0\.conv\.variance` of shape \(8,\).*\n.*{named}.*\nFix"
    ):
        to_onnx(network, weights)


def test_chain_computes_its_layers_behind_the_prefix() -> None:
    layers = (MBConv(5, 1, 3, 16, 0.25, "hard_swish"), Skip(), MBConv(3, 2, 6, 24))
    data = chain_to_onnx(layers, (9, 9, 16), seed=3)
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [1, 8, 9, 9]
    assert data == chain_to_onnx(layers, (9, 9, 16), seed=3)
    assert data != chain_to_onnx(layers, (9, 9, 16), seed=4)
    x = np.random.default_rng(0).standard_normal((1, 8, 9, 9)).astype(np.float32)
    y = run(data, "x", x)
    assert y.shape == (24,) and np.isfinite(y).all() and np.ptp(y) > 0
    short = run(chain_to_onnx((), (9, 9, 16)), "x", x)
    # The empty chain is the prefix and the mean: relu6 of a 1x1 convolution.
    kernel = next(
        numpy_helper.to_array(i)
        for i in onnx.load_from_string(chain_to_onnx((), (9, 9, 16))).graph.initializer
        if i.name == "prefix.kernel"
    )
    wanted = np.clip(np.einsum("oi,ihw->ohw", kernel[:, :, 0, 0], x[0]), 0, 6).mean(axis=(1, 2))
    np.testing.assert_allclose(short, wanted, rtol=1e-5, atol=1e-6)
