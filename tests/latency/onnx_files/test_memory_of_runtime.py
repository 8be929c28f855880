"""The count of peak activation memory against the statistics of ONNX Runtime's own arena."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from onnx import NodeProto, helper

from benchmarks.activation_memory import arena_bytes, library, main
from latency.onnx_files.memory import peak_activation_bytes
from nas.hardware.measurement import network_bytes
from nas.search_space.named import get_space
from tests.support.latency_graphs import finish

pytestmark = pytest.mark.skipif(library() is None, reason="no C interface in this package")

# The arena rounds every block up to 256 bytes; there are at most eight at once.
ROUNDING_BYTES = 8 * 256
node = helper.make_node


def turned(source: str, target: str) -> NodeProto:
    """A transposition, whose kernel needs no memory of its own."""
    return node("Transpose", [source], [target], perm=[0, 1, 3, 2])


END = node("GlobalAveragePool", ["z"], ["pooled"])
IMAGE = (1, 16, 32, 32)
IMAGE_BYTES = 4 * 16 * 32 * 32


@pytest.mark.parametrize(
    "nodes, images",
    [
        # Where nothing is kept: the one before and the one after.
        ([turned("image", "a"), turned("a", "b"), turned("b", "z")], 2),
        # `a` is kept for the addition.
        (
            [
                turned("image", "a"),
                turned("a", "b"),
                turned("b", "c"),
                turned("c", "d"),
                node("Add", ["a", "d"], ["z"]),
            ],
            3,
        ),
        # An activation takes the place of its input, and a view is no copy.
        (
            [
                turned("image", "a"),
                node("Clip", ["a"], ["b"]),
                node("Sigmoid", ["b"], ["c"]),
                node("Identity", ["c"], ["d"]),
                turned("d", "z"),
            ],
            2,
        ),
        # It does not where somebody reads the input later.
        (
            [
                turned("image", "a"),
                node("Sigmoid", ["a"], ["b"]),
                node("Mul", ["a", "b"], ["z"]),
            ],
            3,
        ),
    ],
)
def test_planted_tensors_are_exactly_those_of_the_arena(
    nodes: Sequence[NodeProto], images: int
) -> None:
    model = finish([*nodes, END], IMAGE, [1, 16, 1, 1])
    counted = peak_activation_bytes(model)
    assert counted == images * IMAGE_BYTES
    # The caller's image is no part of the arena, and dead where the most is alive.
    found = arena_bytes(model, is_optimised=False)["activations"]
    assert 0 <= found - counted <= ROUNDING_BYTES


@pytest.mark.parametrize("name, most", [("toy", 1.0), ("cifar", 1.0), ("tiny", 2.0)])
def test_networks_as_they_are_deployed(name: str, most: float) -> None:
    """Fused, no kernel needs memory of its own, and the peak of these is that of the export.

    The arena gives out a free block whole where less than as much again would be left of it, so
    that it may need up to twice the sum; for `toy` and `cifar` no such block is in its way.
    """
    model = network_bytes(get_space(name).largest())
    counted = peak_activation_bytes(model)
    found = arena_bytes(model, is_optimised=True)["activations"]
    assert counted <= found <= most * counted + ROUNDING_BYTES


def test_the_benchmark_writes_what_its_page_says(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    assert main(["--spaces", "toy", "--output", f"{path}"]) == 0
    largest, smallest = json.loads(path.read_text())["networks"]
    assert (largest["network"], smallest["network"]) == ("largest", "smallest")
    assert largest["counted_bytes"] > smallest["counted_bytes"]
    # As exported, convolutions have working memory of their own beside the tensors.
    assert largest["exported_over_counted"] > largest["optimised_over_counted"] >= 1
