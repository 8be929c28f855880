"""The two graphs that measuring itself needs: an empty one, and the one onnxruntime really runs."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from latency.measurement.settings import SessionSettings
from latency.worker import create_session

OPSET, IR_VERSION = 17, 8


def empty_model() -> bytes:
    """Returns a model that only passes one number on: its latency is a run's overhead."""
    from onnx import TensorProto, helper

    number = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("input", "output")
    ]
    node = helper.make_node("Identity", ["input"], ["output"])
    graph = helper.make_graph([node], "empty", number[:1], number[1:])
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def optimized_op_counts(model: bytes, settings: SessionSettings) -> dict[str, int]:
    """Returns operator type -> number of nodes after onnxruntime's optimizations, sorted.

    Args:
        model: A serialised ONNX model.
        settings: The session's; another graph level gives another graph.
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        path = Path(folder, "optimized.onnx")
        create_session(model, settings.to_json(), str(path))
        optimized = onnx.load_model(path, load_external_data=False)
    return dict(sorted(Counter(node.op_type for node in optimized.graph.node).items()))
