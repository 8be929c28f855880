"""Which whole numbers an input may hold: as far as its graph shows it.

An input that chooses rows of a table of 2 rows may hold 0 and 1. The way from the input to the
table may lead through operators that move values and leave them as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Optional

from .graph import Graph, Node, read_graph

Range = tuple[int, int]  # least and greatest

# Operators whose outputs hold the values of these inputs, and no others that matter here.
MOVING: dict[str, Sequence[int]] = {
    **dict.fromkeys(("Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Flatten"), (0,)),
    **dict.fromkeys(("Transpose", "Expand", "Tile", "Slice", "Split", "Dropout", "Pad"), (0,)),
    **dict.fromkeys(("Gather", "GatherElements", "GatherND", "Clip", "ReduceMax"), (0,)),
    "Where": (1, 2),
    **dict.fromkeys(("Concat", "Max", "Min"), range(1 << 10)),
}
# Operators that keep the sizes of their first input.
KEEPING = frozenset(("Cast", "Identity", "DequantizeLinear", "QuantizeLinear", "Dropout"))


def index_ranges(model: bytes, names: Sequence[str]) -> dict[str, Range]:
    """Finds the ranges that a graph shows.

    Args:
        model: A serialised ONNX model.
        names: Of the inputs in question.

    Returns:
        Input -> least and greatest value that every operator takes which reads it; an input that
        chooses nothing, or from something whose sizes are not known, is not among them.
    """
    found = _Ranges(read_graph(model)) if names else None
    ranges = {name: found.of(name) for name in names} if found else {}
    return {name: known for name, known in ranges.items() if known is not None}


class _Ranges:
    """Ranges of the tensors of a graph, each looked for once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._source = {name: node for node in graph.nodes for name in node.outputs}
        self._users: dict[str, list[tuple[Node, int]]] = {}
        for node in graph.nodes:
            for place, name in enumerate(node.inputs):
                if name:
                    self._users.setdefault(name, []).append((node, place))
        self._known: dict[str, Range | None] = {}

    def of(self, name: str) -> Range | None:
        """The range of a tensor; None where nothing limits it, or nothing fits."""
        pending = [name]
        while pending:  # a chain of operators may be longer than Python's stack
            current = pending[-1]
            self._known.setdefault(current, None)
            users = self._users.get(current, ())
            inner = [output for node, place in users for output in _onward(node, place)]
            unknown = [one for one in inner if one not in self._known]
            if unknown:
                pending += unknown
                continue
            self._known[pending.pop()] = self._limited(current)
        return self._known[name]

    def _limited(self, name: str) -> Range | None:
        limits = []
        for node, place in self._users.get(name, ()):
            taken = self._taken(node, place)
            limits += [taken] if taken else []
            for output in _onward(node, place):
                known = self._known.get(output)
                shifted = self._before(node, place, known) if known else None
                limits += [shifted] if shifted else []
        if not limits:
            return None
        least, greatest = max(low for low, _ in limits), min(high for _, high in limits)
        return (least, greatest) if least <= greatest else None

    def _before(self, node: Node, place: int, after: Range) -> Range | None:
        """What a range of an operator's output asks of its input."""
        if node.operator not in ("Add", "Sub"):
            return after
        other = self._graph.integers.get(node.inputs[1 - place] if len(node.inputs) == 2 else "")
        if other is None:
            return None
        if node.operator == "Sub":
            other = (-other[1], -other[0])
        return after[0] - other[0], after[1] - other[1]

    def _taken(self, node: Node, place: int) -> Range | None:
        """What an operator takes as this input, where it chooses by it."""
        rule = TAKEN.get((node.domain, node.operator, place))
        return rule(self, node) if rule else None

    def rows(self, node: Node, place: int, axis: int | None) -> Range | None:
        """Indices along an axis of one of an operator's inputs."""
        size = self.size(node, place, axis)
        return (0, size - 1) if size else None

    def count(self, node: Node, place: int, axis: int | None) -> Range | None:
        """From one element to all of them along an axis of one of an operator's inputs."""
        size = self.size(node, place, axis)
        return (1, size) if size else None

    def every_axis(self, node: Node, first: int | None) -> Range | None:
        """Indices that fit along every axis from the first one on."""
        sizes = self._sizes(node, 0)
        if sizes is None or first is None:
            return None
        known = [size for size in sizes[first:] if size is not None]
        return (0, min(known) - 1) if known and len(known) == len(sizes[first:]) else None

    def depth(self, node: Node) -> Range | None:
        """Classes of a OneHot."""
        known = self._graph.integers.get(node.inputs[1] if len(node.inputs) > 1 else "")
        return (0, known[0] - 1) if known and known[0] > 0 else None

    def size(self, node: Node, place: int, axis: int | None) -> int | None:
        """One size of one of an operator's inputs; None where it is not known."""
        sizes = self._sizes(node, place)
        if sizes is None or axis is None or not -len(sizes) <= axis < len(sizes):
            return None
        return sizes[axis]

    def _sizes(self, node: Node, place: int) -> Sequence[int | None] | None:
        name = node.inputs[place] if place < len(node.inputs) else ""
        for _ in range(len(self._source) + 1):  # a graph that runs in a circle ends
            if name in self._graph.sizes:
                return self._graph.sizes[name]
            source = self._source.get(name)
            if source is None or source.operator not in KEEPING or not source.inputs:
                return None
            name = source.inputs[0]
        return None


def _onward(node: Node, place: int) -> Sequence[str]:
    """The outputs that hold an input's values."""
    is_shift = node.operator in ("Add", "Sub") and place == 0
    is_shift = is_shift or (node.operator == "Add" and place == 1)
    moves = place in MOVING.get(node.operator, ()) or is_shift
    return node.outputs if moves and not node.domain else ()


Rule = Callable[[_Ranges, Node], Optional[Range]]


def _along(axis_name: str, usual: int, data: int = 0) -> Rule:
    return lambda ranges, node: ranges.rows(node, data, node.numbers.get(axis_name, usual))


def _up_to(axis_name: str, usual: int) -> Rule:
    return lambda ranges, node: ranges.count(node, 0, node.numbers.get(axis_name, usual))


MICROSOFT = "com.microsoft"
# (domain, operator, input) -> what is taken there.
TAKEN: dict[tuple[str, str, int], Rule] = {
    ("", "Gather", 1): _along("axis", 0),
    ("", "GatherElements", 1): _along("axis", 0),
    ("", "Scatter", 1): _along("axis", 0),
    ("", "ScatterElements", 1): _along("axis", 0),
    ("", "GatherND", 1): lambda ranges, node: ranges.every_axis(
        node, node.numbers.get("batch_dims", 0)
    ),
    ("", "ScatterND", 1): lambda ranges, node: ranges.every_axis(node, 0),
    ("", "OneHot", 0): lambda ranges, node: ranges.depth(node),
    ("", "SoftmaxCrossEntropyLoss", 1): _along("", 1),
    ("", "NegativeLogLikelihoodLoss", 1): _along("", 1),
    ("", "RotaryEmbedding", 3): _along("", 0, 1),
    ("", "TopK", 1): _up_to("axis", -1),
    ("", "ReverseSequence", 1): _up_to("time_axis", 0),
    ("", "RNN", 4): _up_to("", 0),
    ("", "GRU", 4): _up_to("", 0),
    ("", "LSTM", 4): _up_to("", 0),
    (MICROSOFT, "GatherBlockQuantized", 1): _along("gather_axis", 0),
    (MICROSOFT, "RotaryEmbedding", 1): _along("", 0, 2),
    (MICROSOFT, "EmbedLayerNormalization", 0): _along("", 0, 2),
    (MICROSOFT, "EmbedLayerNormalization", 1): _along("", 0, 4),
    (MICROSOFT, "EmbedLayerNormalization", 8): _along("", 0, 3),
}
