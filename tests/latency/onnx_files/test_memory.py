"""The peak activation memory of graphs, counted by hand, and by the rules of each operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from latency.onnx_files.liveness import Step, Tensor, activation_peak
from latency.onnx_files.memory import onnx_activation_peak, peak_activation_bytes
from latency.onnx_files.precision import convert
from latency.onnx_files.shaped_graph import FeatureError
from tests.support.latency_graphs import chain

node = helper.make_node


def graph(
    nodes: Sequence[NodeProto],
    output: Sequence[int] | None,
    weights: Mapping[str, np.ndarray] | None = None,
    image: Sequence[int | str] = (1, 4, 2, 2),
    element: int = TensorProto.FLOAT,
) -> bytes:
    tensors = [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()]
    proto = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", element, list(image))],
        [helper.make_tensor_value_info("y", element, output)],
        initializer=tensors,
    )
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(proto, opset_imports=opsets, ir_version=8).SerializeToString())


def pointwise(channels_in: int, channels_out: int) -> np.ndarray:
    return np.ones((channels_out, channels_in, 1, 1), np.float32)


X = 4 * 4 * 4  # bytes of the image: 4 channels of 2x2 in float32


def test_a_node_needs_its_inputs_and_outputs_at_once() -> None:
    nodes = [node("Conv", ["x", "a"], ["w"], name="widen"), node("Conv", ["w", "b"], ["y"])]
    model = graph(nodes, [1, 4, 2, 2], {"a": pointwise(4, 12), "b": pointwise(12, 4)})
    found = onnx_activation_peak(model)
    # Weights, 192 bytes each, are no part of it; the first of two equal steps is named.
    assert found.peak_bytes == X + 3 * X
    assert (found.step, found.operator, found.place) == ("widen", "Conv", 0)
    assert [(t.name, t.size_bytes) for t in found.tensors] == [("w", 3 * X), ("x", X)]


def test_a_residual_keeps_its_input_alive_to_its_last_reader() -> None:
    nodes = [
        node("Conv", ["x", "a"], ["w"]),
        node("Conv", ["w", "b"], ["v"]),
        node("Conv", ["v", "c"], ["u"]),
        node("Add", ["x", "u"], ["y"]),
    ]
    weights = {"a": pointwise(4, 12), "b": pointwise(12, 12), "c": pointwise(12, 4)}
    found = onnx_activation_peak(graph(nodes, [1, 4, 2, 2], weights))
    assert (found.peak_bytes, found.step) == (X + 6 * X, "Conv 1")
    assert found.tensors[-1] == Tensor("x", X)


@pytest.mark.parametrize(
    "nodes, peak",
    [
        # Views have the memory of their input.
        ([node("Flatten", ["x"], ["v"]), node("Identity", ["v"], ["y"])], X),
        # An activation takes the place of its input, but not of one that is read again.
        ([node("Relu", ["x"], ["v"]), node("Sigmoid", ["v"], ["y"])], X),
        ([node("Sigmoid", ["x"], ["v"]), node("Mul", ["x", "v"], ["y"])], 3 * X),
        # Not of one that is read again through a view of it.
        (
            [
                node("Flatten", ["x"], ["f"]),
                node("Relu", ["x"], ["v"]),
                node("Reshape", ["f", "four"], ["w"]),
                node("Add", ["v", "w"], ["y"]),
            ],
            3 * X,
        ),
        # What moves values cannot take the place of its input.
        ([node("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1])], 2 * X),
        # What has two inputs takes the place of none.
        ([node("GlobalAveragePool", ["x"], ["m"]), node("Mul", ["m", "x"], ["y"])], 2 * X + 16),
        # Shapes are known before anything runs.
        ([node("Shape", ["x"], ["s"]), node("Reshape", ["x", "s"], ["y"])], X),
        # So is what follows from stored tensors alone.
        ([node("Neg", ["big"], ["b"]), node("Sub", ["x", "b"], ["y"])], 2 * X),
    ],
)
def test_rules_of_operators(nodes: list[NodeProto], peak: int) -> None:
    weights = {"four": np.array([1, 4, 2, 2]), "big": np.ones((1, 4, 2, 2), np.float32)}
    assert peak_activation_bytes(graph(nodes, None, weights)) == peak


def test_an_output_stays_to_the_end() -> None:
    proto = onnx.load_model_from_string(
        graph([node("Conv", ["x", "a"], ["y"])], [1, 8, 2, 2], {"a": pointwise(4, 8)})
    )
    del proto.graph.output[:]
    for name in ("early", "y"):
        proto.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    proto.graph.node.insert(0, node("Relu", ["x"], ["early"]))
    # `early` has taken the place of x, which the convolution reads: it cannot.
    assert peak_activation_bytes(proto.SerializeToString()) == X + X + 2 * X


@pytest.mark.parametrize(
    "element, size_bytes",
    [(TensorProto.FLOAT16, 2), (TensorProto.DOUBLE, 8), (TensorProto.UINT8, 1), (22, 0.5)],
)
def test_bytes_of_every_type(element: int, size_bytes: float) -> None:
    model = graph([node("Transpose", ["x"], ["y"])], [2, 2, 4, 1], element=element)
    assert peak_activation_bytes(model) == 2 * 16 * size_bytes


def test_quantised_tensors_are_kept_as_such() -> None:
    plain = chain(3, channels=32)
    assert peak_activation_bytes(plain) == 2 * 32 * 64 * 4
    # One byte a value, weights and their scales left out.
    assert peak_activation_bytes(convert(plain, "int8")) == 2 * 32 * 64


def test_what_is_quantised_behind_an_activation_is_never_float() -> None:
    scale = {"s": np.float32(0.1), "z": np.uint8(0)}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("Conv", ["d", "a"], ["c"]),
        node("Relu", ["c"], ["r"]),
        node("QuantizeLinear", ["r", "s", "z"], ["p"]),
        node("DequantizeLinear", ["p", "s", "z"], ["e"]),
        node("Conv", ["e", "b"], ["y"]),
    ]
    weights = {
        "a": pointwise(4, 64),
        "b": pointwise(64, 4),
        **{name: np.array(value) for name, value in scale.items()},
    }
    found = onnx_activation_peak(graph(nodes, [1, 4, 2, 2], weights))
    # At the last convolution: 64 quantised channels, and 4 in float32.
    assert (found.peak_bytes, found.step) == (64 * 4 + X, "Conv 6")


@pytest.mark.parametrize(
    "nodes, image, text",
    [
        ([node("Relu", ["x"], ["y"])], (1, "n", 2, 2), "tensors of known shape"),
        ([node("Unknown", ["x"], ["v"]), node("Relu", ["v"], ["y"])], (1, 4, 2, 2), "'v'"),
        ([node("Relu", ["nowhere"], ["y"])], (1, 4, 2, 2), "what its operator needs"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    nodes: list[NodeProto], image: tuple[int | str, ...], text: str
) -> None:
    with pytest.raises(FeatureError, match="(?s)Expected.*Received.*Fix") as caught:
        peak_activation_bytes(graph(nodes, [1, 4, 2, 2], image=image))
    assert text in str(caught.value)


def test_graphs_inside_of_nodes_are_refused() -> None:
    inner = helper.make_graph(
        [node("Relu", ["x"], ["v"])],
        "inner",
        [],
        [helper.make_tensor_value_info("v", TensorProto.FLOAT, [1, 4, 2, 2])],
    )
    branch = node("If", ["yes"], ["y"], name="fork", then_branch=inner, else_branch=inner)
    with pytest.raises(FeatureError, match="Received: fork, a If node"):
        peak_activation_bytes(graph([branch], [1, 4, 2, 2], {"yes": np.array(True)}))


def test_against_every_moment_spelled_out() -> None:
    """Chains with random readers: the sum is made again from the definition, step by step."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        count = int(rng.integers(2, 9))
        sizes = rng.integers(1, 100, count + 1)
        tensors = [Tensor(f"{i}", int(size)) for i, size in enumerate(sizes)]
        reads = [{int(i) for i in rng.integers(0, place + 1, 2)} for place in range(count)]
        steps = [
            Step(f"s{p}", "New", tuple(map(str, sorted(r))), (tensors[p + 1],))
            for p, r in enumerate(reads)
        ]
        sums = []
        for place in range(count):
            alive = {i for p in range(place, count) for i in reads[p] if i <= place}
            alive |= {place + 1} | ({0} if place == 0 else set())
            sums.append(sum(tensors[i].size_bytes for i in alive))
        assert activation_peak(tensors[:1], steps, [f"{count}"]).peak_bytes == max(sums)
