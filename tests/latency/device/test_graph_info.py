"""What really runs, on tiny graphs with onnxruntime itself."""

from __future__ import annotations

from latency.device.graph_info import describe_model
from latency.device.settings import SessionSettings
from latency.onnx_files.graphs import empty_model
from tests.support.latency_graphs import chain


def test_op_counts_show_the_graph_that_runs() -> None:
    counts = describe_model(chain(2), SessionSettings(graph_level="all")).op_counts
    assert "Relu" not in counts and sum(v for k, v in counts.items() if "Conv" in k) == 3
    counts = describe_model(chain(2), SessionSettings(graph_level="disabled")).op_counts
    assert counts == {"Conv": 3, "GlobalAveragePool": 1, "Relu": 3}
    assert describe_model(empty_model(), SessionSettings()).op_counts == {"Identity": 1}
