"""int8 and fp16 forms of a model: what stays, what changes, and what is refused."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from latency.device.errors import WorkerError
from latency.device.graph_info import describe_model
from latency.device.inputs import random_inputs
from latency.device.sessions import create_session
from latency.device.settings import SessionSettings
from latency.errors import ModelFileError
from latency.onnx_files.conversions import convert_all
from latency.onnx_files.graphs import empty_model
from latency.onnx_files.int8 import Quantization
from latency.onnx_files.precision import (
    SCHEMES,
    PrecisionError,
    convert,
    default_scheme,
    quantized,
    require_fp16_compute,
)
from tests.support.latency_graphs import chain, finish

SETTINGS = SessionSettings()
ROOT = Path(__file__).resolve().parents[3]


def weight(name: str, *shape: int) -> TensorProto:
    values = np.random.default_rng(len(shape)).standard_normal(shape) / np.sqrt(shape[-1])
    return numpy_helper.from_array(values.astype(np.float32), name)


def gated() -> bytes:
    """A convolution with squeeze-excite and HardSwish."""
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "w"], ["c"], pads=[1, 1, 1, 1]),
        node("HardSwish", ["c"], ["h"]),
        node("GlobalAveragePool", ["h"], ["mean"]),
        node("Conv", ["mean", "squeeze"], ["s"]),
        node("HardSigmoid", ["s"], ["gate"], alpha=1 / 6, beta=0.5),
        node("Mul", ["h", "gate"], ["m"]),
        node("GlobalAveragePool", ["m"], ["pooled"]),
    ]
    weights = [weight("w", 8, 3, 3, 3), weight("squeeze", 8, 8, 1, 1)]
    return finish(nodes, [1, 3, 8, 8], [1, 8, 1, 1], weights)


def dense(*, activation: str, flatten: bool = False) -> bytes:
    """A matrix product and something behind it."""
    nodes = [
        helper.make_node("MatMul", ["image", "w"], ["product"]),
        helper.make_node(activation, ["product"], ["a" if flatten else "pooled"]),
    ]
    if flatten:
        nodes.append(helper.make_node("Flatten", ["a"], ["pooled"]))
    return finish(nodes, [1, 8], [1, 4], [weight("w", 8, 4)])


def output(model: bytes, seed: int) -> np.ndarray:
    session = create_session(model, SETTINGS)
    return np.asarray(session.run(None, random_inputs(session, seed))[0])


def relative_error(model: bytes, other: bytes) -> float:
    """Largest difference in parts of the largest output, on inputs that nobody calibrated on."""
    pairs = [(output(model, seed), output(other, seed)) for seed in (11, 12, 13)]
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


def edges(model: bytes) -> list[tuple[str, int, list[int]]]:
    graph = onnx.load_model_from_string(model).graph
    tensors = [(v.name, v.type.tensor_type) for v in [*graph.input, *graph.output]]
    return [(name, t.elem_type, [d.dim_value for d in t.shape.dim]) for name, t in tensors]


def with_opset(model: bytes, opset: int, ir_version: int) -> bytes:
    proto = onnx.load_model_from_string(model)
    proto.opset_import[0].version, proto.ir_version = opset, ir_version
    return bytes(proto.SerializeToString())


def test_fp32_is_the_same_file() -> None:
    model = chain(2)
    assert convert(model, "fp32") is model
    assert convert(b"anything", "fp32") == b"anything"


# Rounding weights to 1/127 of the largest and activations to 1/255 of their range costs up to 5 %
# over five layers, and values outside the calibrated range some more; a wrong scale, zero point
# or layout is off by as much as the signal.
INT8_TOLERANCE = 0.1


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("model", [chain(4), gated()], ids=["chain", "gated"])
def test_int8_computes_nearly_the_same(model: bytes, scheme: str) -> None:
    error = relative_error(model, convert(model, "int8", scheme=scheme))
    assert 0 < error < INT8_TOLERANCE


def test_u8s8_leaves_no_float_convolution() -> None:
    counts = describe_model(convert(chain(4), "int8", scheme="u8s8"), SETTINGS).op_counts
    assert counts["QLinearConv"] == 5
    assert "Conv" not in counts and "FusedConv" not in counts
    assert counts["QuantizeLinear"] == 1 and counts["DequantizeLinear"] == 1


def test_gates_keep_conversions_around_them() -> None:
    counts = describe_model(convert(gated(), "int8", scheme="u8s8"), SETTINGS).op_counts
    assert counts["QLinearConv"] == 2 and "Conv" not in counts
    assert counts["DequantizeLinear"] > 1


@pytest.mark.parametrize(("scheme", "activation", "kernel"), [
    ("u8s8", TensorProto.UINT8, TensorProto.INT8),
    ("u8u8", TensorProto.UINT8, TensorProto.UINT8),
    ("s8s8", TensorProto.INT8, TensorProto.INT8),
])  # fmt: skip
def test_scheme_names_the_types(scheme: str, activation: int, kernel: int) -> None:
    graph = onnx.load_model_from_string(convert(chain(1), "int8", scheme=scheme)).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert {types[n.input[2]] for n in graph.node if n.op_type == "QuantizeLinear"} == {activation}
    assert {types[f"w{number}_quantized"] for number in (0, 1)} == {kernel}


@pytest.mark.parametrize(("machine", "scheme"), [
    ("x86_64", "u8s8"), ("AMD64", "u8s8"), ("aarch64", "s8s8"), ("arm64", "s8s8"),
    ("armv7l", "s8s8"),
])  # fmt: skip
def test_default_scheme_is_the_processors(
    machine: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert default_scheme() == scheme
    assert convert(chain(1), "int8") == convert(chain(1), "int8", scheme=scheme)


def test_same_seed_same_bytes_in_any_process(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(gated())
    code = (
        "import hashlib, logging, pathlib, sys\nfrom latency.onnx_files.precision import convert\n"
        "path = list(sys.path)\n"
        "model = pathlib.Path(sys.argv[1]).read_bytes()\n"
        "made = convert(model, 'int8', scheme='u8s8', seed=3) + convert(model, 'fp16')\n"
        "print(hashlib.sha256(made).hexdigest())\n"
        # The libraries' first import is where they would change the process.
        "print(sys.path == path, logging.root.handlers, 'torch' in sys.modules)"
    )
    results = [
        subprocess.run(
            [sys.executable, "-c", code, str(source)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]
    assert results[0].stdout == results[1].stdout
    assert results[0].stdout.splitlines()[1] == "True [] False"
    assert [result.stderr for result in results] == ["", ""]


def test_seed_decides_the_calibration() -> None:
    made = [convert(chain(1), "int8", scheme="u8s8", seed=seed) for seed in (0, 0, 1)]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("precision", ["int8", "fp16"])
@pytest.mark.parametrize(("opset", "ir_version"), [(13, 7), (17, 8), (18, 9)])
def test_opset_ir_and_edges_stay(precision: str, opset: int, ir_version: int) -> None:
    model = with_opset(chain(2), opset, ir_version)
    made = convert(model, precision)
    proto = onnx.load_model_from_string(made)
    onnx.checker.check_model(proto)
    assert proto.ir_version == ir_version
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", opset)]
    assert edges(made) == edges(model)


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_metadata_stays(precision: str) -> None:
    proto = onnx.load_model_from_string(chain(1))
    helper.set_model_props(proto, {"architecture": "stem"})
    made = onnx.load_model_from_string(convert(proto.SerializeToString(), precision))
    assert ("architecture", "stem") in [(entry.key, entry.value) for entry in made.metadata_props]


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_weights_listed_as_inputs_become_constant(precision: str, capfd: Any) -> None:
    proto = onnx.load_model_from_string(chain(1))
    for tensor in proto.graph.initializer:
        value = helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims)
        proto.graph.input.append(value)
    assert convert(proto.SerializeToString(), precision) == convert(chain(1), precision)
    assert capfd.readouterr() == ("", "")
    proto.ir_version = 3
    with pytest.raises(
        PrecisionError, match="Expected IR version 4 .*\nReceived: .* 3.\nFix: expo"
    ):
        convert(proto.SerializeToString(), precision)


def test_int8_of_nothing_to_multiply_is_the_model() -> None:
    assert convert(empty_model(), "int8") == empty_model()


def test_a_bias_of_two_unnamed_convolutions() -> None:
    # Each use of a bias gets a scale of its own; the library tells the uses apart by node name.
    nodes = [
        helper.make_node("Conv", ["image", "w", "b"], ["c"]),
        helper.make_node("Conv", ["c", "v", "b"], ["pooled"]),
    ]
    bias = numpy_helper.from_array(np.full(8, 4, np.float32), "b")
    weights = [weight("w", 8, 3, 1, 1), weight("v", 8, 8, 1, 1), bias]
    model = finish(nodes, [1, 3, 4, 4], [1, 8, 4, 4], weights)
    made = convert(model, "int8", scheme="u8s8")
    graph = onnx.load_model_from_string(made).graph
    assert len({node.input[2] for node in graph.node if node.op_type == "Conv"}) == 2
    assert relative_error(model, made) < INT8_TOLERANCE


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_leaves_no_trace(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, caplog: Any
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before = (list(root.handlers), root.level, root.manager.disable, list(sys.path))
    convert(chain(1), precision)
    assert (root.handlers, root.level, root.manager.disable, sys.path) == before
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "") and caplog.text == ""


def test_fp16_computes_nearly_the_same() -> None:
    model = chain(4)
    made = convert(model, "fp16")
    graph = onnx.load_model_from_string(made).graph
    assert {tensor.data_type for tensor in graph.initializer} == {TensorProto.FLOAT16}
    # fp16 keeps 11 bits: 1/2048 a rounding, some ten of them one after the other.
    assert 0 < relative_error(model, made) < 0.005
    assert len(made) < 0.6 * len(model)


# onnxruntime's x86 kernels convolve and multiply in fp32 alone, at every graph level.
X86 = pytest.mark.skipif(default_scheme() != "u8s8", reason="ARM processors have fp16 kernels")


@X86
@pytest.mark.parametrize("level", ["disabled", "basic", "extended", "all"])
@pytest.mark.parametrize(
    "model", [chain(4), gated(), dense(activation="Relu"), dense(activation="Relu", flatten=True)]
)
def test_fp16_that_is_fp32_is_refused(model: bytes, level: str) -> None:
    settings = SessionSettings(graph_level=level)
    with pytest.raises(PrecisionError) as caught:
        require_fp16_compute(convert(model, "fp16"), settings)
    count = sum(
        node.op_type in ("Conv", "MatMul") for node in onnx.load_model_from_string(model).graph.node
    )
    assert str(caught.value) == (
        "Expected convolutions and matrix products that CPUExecutionProvider computes in fp16.\n"
        f"Received: {count} of {count} of them in fp32, behind casts.\nFix: measure fp32 or int8, "
        "or name a provider with fp16 kernels."
    )


def test_fp16_without_products_is_not_refused() -> None:
    require_fp16_compute(convert(empty_model(), "fp16"), SETTINGS)


@pytest.mark.parametrize(("in_fp16", "refused"), [(0, True), (1, True), (2, False), (3, False)])
def test_fp16_is_judged_by_the_weights(
    in_fp16: int, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A provider with fp16 kernels is played by the graph that onnxruntime would write for it.
    weights = [
        numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float16 if n < in_fp16 else np.float32), w)
        for n, w in enumerate("abc")
    ]
    nodes = [
        helper.make_node("Conv", [x, w], [y])
        for x, w, y in [("image", "a", "x"), ("x", "b", "y"), ("y", "c", "pooled")]
    ]
    shape = [1, 1, 1, 1]
    written = finish(nodes, shape, shape, weights, TensorProto.FLOAT16)

    def session(model: bytes, settings: Any, path: str) -> None:
        Path(path).write_bytes(written)

    monkeypatch.setattr("latency.onnx_files.precision.create_session", session)
    context = pytest.raises(PrecisionError) if refused else contextlib.nullcontext()
    with context:
        require_fp16_compute(b"", SETTINGS)


@pytest.mark.parametrize(("arguments", "text"), [
    (("fp8", ""), "Expected a precision among fp32, int8, fp16.\nReceived: 'fp8'.\nFix: name"),
    (("int8", "s8u8"), "Expected a scheme among u8s8, u8u8, s8s8.\nReceived: 's8u8'.\nFix: name"),
    (("fp32", "u8s8"), "Expected no scheme for fp32.\nReceived: 'u8s8'.\nFix: leave it out"),
])  # fmt: skip
def test_unknown_words_are_refused(arguments: tuple[str, str], text: str) -> None:
    with pytest.raises(PrecisionError) as caught:
        convert(chain(0), arguments[0], scheme=arguments[1])
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("precision", ["int8", "fp16"])
@pytest.mark.parametrize(("first", "received"), [("int8", "QuantizeLinear"), ("fp16", "FLOAT16")])
def test_a_converted_model_is_not_converted_again(
    precision: str, first: str, received: str
) -> None:
    with pytest.raises(
        PrecisionError, match=f"(?s)Expected an fp32 model.*Received: .*{received}.*Fix"
    ):
        convert(convert(chain(0), first, scheme="u8s8" if first == "int8" else ""), precision)


def test_what_cannot_be_converted_is_refused() -> None:
    with pytest.raises(
        PrecisionError, match="Expected a serialised ONNX model.\nReceived: 7 other"
    ):
        convert(b"no onnx", "int8")
    with pytest.raises(
        PrecisionError, match="Expected opset 11 .*\nReceived: opset 9.\nFix: export"
    ):
        convert(with_opset(chain(0), 9, 4), "int8")
    with pytest.raises(WorkerError, match="Expected inputs of fixed shape.\nReceived: .*\nFix: "):
        convert(chain(0, size="size"), "int8")


def test_a_failing_converter_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("scale")

    monkeypatch.setattr("onnxruntime.quantization.quantize_static", fail)
    with pytest.raises(
        PrecisionError, match="into int8.\nReceived: KeyError: 'scale'.\nFix: check"
    ):
        convert(chain(0), "int8")


def input_scale(model: bytes) -> float:
    """The step between two values of the graph's input."""
    graph = onnx.load_model_from_string(model).graph
    name = next(node.input[1] for node in graph.node if node.input[0] == "image")
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return float(values[name])


def test_own_inputs_are_calibrated_on_in_place_of_drawn_ones() -> None:
    model = gated()
    pixels = np.linspace(0, 255, 3 * 8 * 8, dtype=np.float32).reshape(1, 3, 8, 8)
    drawn = convert(model, "int8")
    own = convert(model, "int8", own={"image": pixels})
    # From 0 to 255 in 255 steps.
    assert input_scale(own) == pytest.approx(1.0) and input_scale(drawn) < 0.1
    named = {"a": {"image": pixels, "another": pixels}, "b": {}}
    made = convert_all({"a": model, "b": model}, "int8", own=named)
    assert made == {"a": own, "b": drawn}
    with pytest.raises(ModelFileError, match="a: "):
        convert_all({"a": model}, "int8", own={"a": {"image": pixels[:, :2]}})


def test_int8_of_a_graph_without_products_is_refused_where_it_was_asked_for() -> None:
    with pytest.raises(PrecisionError, match="(?s)one of Conv, .*Received: Identity alone"):
        quantized(empty_model(), Quantization("u8s8"), [])
    with pytest.raises(PrecisionError, match="a scheme among u8s8, u8u8, s8s8"):
        Quantization("u4s4")
