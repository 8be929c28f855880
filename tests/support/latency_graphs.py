"""Tiny ONNX graphs, and a table of them, for the latency tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from latency.device.meter import Progress
from latency.device.settings import SessionSettings
from latency.jobs.job import Job, Subject, run_here
from latency.jobs.plans import RowPlan, WholePlan
from latency.measurement.measure import MeasurePlan, Model
from latency.tables.build import table_of
from latency.tables.table import LatencyTable


def chain(count: int, channels: int = 8, size: int | str = 8, seed: int = 0) -> bytes:
    """Returns a convolution followed by `count` blocks of convolution and ReLU, then pooling."""
    rng = np.random.default_rng(seed)
    nodes, weights, current, width = [], [], "image", 3
    for index in range(count + 1):
        kernel = rng.standard_normal((channels, width, 3, 3)) * np.sqrt(2 / (9 * width))
        weights.append(numpy_helper.from_array(kernel.astype(np.float32), f"w{index}"))
        nodes.append(
            helper.make_node("Conv", [current, f"w{index}"], [f"c{index}"], pads=[1, 1, 1, 1])
        )
        nodes.append(helper.make_node("Relu", [f"c{index}"], [f"r{index}"]))
        current, width = f"r{index}", channels
    nodes.append(helper.make_node("GlobalAveragePool", [current], ["pooled"]))
    return finish(nodes, [1, 3, size, size], [1, channels, 1, 1], weights)


def finish(
    nodes: Sequence[NodeProto],
    input_shape: Sequence[int | str],
    output_shape: Sequence[int | str] | None,
    weights: Sequence[TensorProto] = (),
    input_type: int = TensorProto.FLOAT,
) -> bytes:
    """Returns a serialised model (opset 17, IR 8) from 'image' to 'pooled'."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", input_type, input_shape)],
        [helper.make_tensor_value_info("pooled", input_type, output_shape)],
        initializer=weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def gather(rows: int, ways: Sequence[NodeProto] = (), kind: int = TensorProto.INT64) -> bytes:
    """Returns a model that looks four ids up in a table of so many rows.

    Args:
        rows: Of the table.
        ways: Nodes that lead from the input 'image' to the ids, which the last one calls 'ids'.
        kind: Type of the ids.
    """
    table = numpy_helper.from_array(np.ones((rows, 2), np.float32), "table")
    nodes = [
        *ways,
        helper.make_node("Gather", ["table", "ids" if ways else "image"], ["rows"]),
        helper.make_node("ReduceSum", ["rows"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["pooled"], to=kind),
    ]
    return finish(nodes, [1, 4], [], [table], input_type=kind)


def hidden_gather(rows: int) -> bytes:
    """Returns a model that looks ids up in a table that its graph does not show, such as a sum."""
    table = numpy_helper.from_array(np.ones((rows, 2), np.float32), "table")
    nodes = [
        helper.make_node("Add", ["table", "table"], ["twice"]),
        helper.make_node("Gather", ["twice", "image"], ["rows"]),
        helper.make_node("ReduceSum", ["rows"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["pooled"], to=TensorProto.INT64),
    ]
    return finish(nodes, [1, 4], [], [table], input_type=TensorProto.INT64)


def baked(batch: int) -> bytes:
    """Returns a model of a free batch whose Reshape was traced at batch 1, as exporters do."""
    shape = numpy_helper.from_array(np.array([1, 12], np.int64), "shape")
    nodes = [helper.make_node("Reshape", ["image", "shape"], ["pooled"])]
    return finish(nodes, [batch, 3, 2, 2], None, [shape])


def toy_job(wholes: Sequence[WholePlan] | None = None, **changes: Any) -> Job:
    """A job of chains, as small as a table's can be."""
    # Blocks of 2.4 M MACs: far above the noise of a busy machine, still quick.
    sizes = {"channels": 32, "size": 16}
    models = [Model(f"chain{n}", chain(n, **sizes), "chains") for n in (1, 4)]
    models += [Model("stem", chain(0, **sizes), "stem")]
    models += [Model(f"net{n}", chain(n, seed=1, **sizes), f"net{n}") for n in range(1, 7)]
    if wholes is None:
        roles = ["calibration", "held_out"] * 3
        wholes = [
            WholePlan(f"net{n}", ("stem", *["block"] * n), role)
            for n, role in enumerate(roles, start=1)
        ]
    arguments: dict[str, Any] = {
        "subject": Subject("toy", "abc", 8),
        "models": tuple(models),
        "rows": (RowPlan("block", "chain4", "chain1", 3), RowPlan("stem", "stem", None, 1)),
        "wholes": tuple(wholes),
        "settings": SessionSettings(),
        "plan": MeasurePlan(min_rounds=4, max_rounds=4, max_wait_seconds=0.0, seed=3),
    }
    return Job(**{**arguments, **changes})


def toy_table(
    wholes: Sequence[WholePlan] | None = None,
    progress: Progress | None = None,
    resume_path: Path | None = None,
    **changes: Any,
) -> LatencyTable:
    """Measures a real table of chains."""
    job = toy_job(wholes, **changes)
    return table_of(job, run_here(job, progress, resume_path))
