"""The graph that measuring itself needs: an empty one."""

from __future__ import annotations

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
