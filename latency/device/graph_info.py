"""What really runs: the operators of an optimized graph, and who runs them."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from . import protobuf
from .errors import WorkerError
from .graph import GRAPH, NODE, OP_TYPE
from .sessions import create_session
from .settings import SessionSettings


@dataclass(frozen=True)
class GraphInfo:
    """A graph after onnxruntime's optimizations.

    Args:
        op_counts: Operator -> nodes; empty where the provider compiles the graph as a whole.
        node_share: Provider -> share of nodes, 0 to 1; None where onnxruntime is too old to tell.
    """

    op_counts: Mapping[str, int]
    node_share: Optional[Mapping[str, float]] = None


def describe_model(model: bytes, settings: SessionSettings) -> GraphInfo:
    """Tells which operators run after onnxruntime's optimizations, and where."""
    import onnxruntime

    can_tell = hasattr(onnxruntime.InferenceSession, "get_provider_graph_assignment_info")
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        path = os.path.join(folder, "optimized.onnx")
        try:
            session = create_session(model, settings, path, can_tell)
            with open(path, "rb") as stream:
                counts = operator_counts(stream.read())
        except (WorkerError, OSError):
            # A compiled graph cannot be written; the session itself must still load.
            session, counts = create_session(model, settings, "", can_tell), {}
    return GraphInfo(counts, node_share(session) if can_tell else None)


def node_share(session: Any) -> dict[str, float]:
    """Returns provider -> share (0 to 1) of the graph's nodes that it took."""
    nodes: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        nodes[part.ep_name] += len(part.get_nodes())
    total = sum(nodes.values())
    return {name: count / total for name, count in sorted(nodes.items())} if total else {}


def operator_counts(model: bytes) -> dict[str, int]:
    """Returns operator type -> number of nodes of a serialised ONNX model, sorted."""
    counts: Counter[str] = Counter()
    for graph in protobuf.parts(memoryview(model), GRAPH):
        counts.update(protobuf.text(node, OP_TYPE) for node in protobuf.parts(graph, NODE))
    return dict(sorted(counts.items()))
