"""What really runs: the operators of an optimized graph, and who runs them."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from .errors import WorkerError
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
    """Returns operator type -> number of nodes of a serialised ONNX model, sorted.

    Reads the three fields that it needs itself, since a device may lack the onnx package:
    ModelProto.graph is 7, GraphProto.node 1, NodeProto.op_type 4 (onnx.proto).
    """
    counts: Counter[str] = Counter()
    for graph in _length_delimited(model, 7):
        for node in _length_delimited(graph, 1):
            counts.update(text.decode() for text in _length_delimited(node, 4))
    return dict(sorted(counts.items()))


def _length_delimited(message: bytes, wanted: int) -> Iterator[bytes]:
    """Yields the length-delimited fields of one number of a protocol buffer."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 2:
            size, place = _varint(message, place)
            if tag >> 3 == wanted:
                yield message[place : place + size]
            place += size
        elif kind == 0:
            _, place = _varint(message, place)
        else:
            place += 8 if kind == 1 else 4


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
