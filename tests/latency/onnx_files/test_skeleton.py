"""Stored graphs without weights."""

from __future__ import annotations

import base64
import tracemalloc
import zlib

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from latency.device.graph_info import describe_model
from latency.device.settings import SessionSettings
from latency.onnx_files import skeleton
from latency.onnx_files.skeleton import (
    MOST_GRAPH_BYTES,
    SkeletonError,
    restore_all,
    restore_weights,
    strip_weights,
)
from tests.support.latency_graphs import chain, finish


def weights(model: bytes) -> dict[str, np.ndarray]:
    graph = onnx.load_from_string(model).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def test_a_skeleton_keeps_the_graph_and_draws_weights_of_the_same_spread() -> None:
    model = chain(3, channels=32, size=16)
    text = strip_weights(model)
    assert len(text) < len(model) / 10
    again = restore_weights(text, seed=1)
    old, new = weights(model), weights(again)
    assert {k: (v.shape, v.dtype) for k, v in old.items()} == {
        k: (v.shape, v.dtype) for k, v in new.items()
    }
    for name, value in new.items():
        assert not np.array_equal(value, old[name])
        assert value.std() == pytest.approx(old[name].std(), rel=0.2)
        assert old[name].min() <= value.min() and value.max() <= old[name].max()
    assert restore_weights(text, seed=1) == again != restore_weights(text, seed=2)
    settings = SessionSettings()
    assert describe_model(again, settings) == describe_model(model, settings)


def test_a_damaged_skeleton_is_refused() -> None:
    text = strip_weights(chain(1))
    for broken in (text[:-8], "no base64!", "AAAA"):
        with pytest.raises(
            ValueError, match="Expected a stored graph (?s:.*)\nFix: build the table"
        ):
            restore_weights(broken, seed=0)


def packed(graph: bytes) -> str:
    return base64.b64encode(zlib.compress(graph, 9)).decode("ascii")


def with_dims(*dims: int, spread: str = "[0, 1, -1, 1]") -> str:
    """A stored graph whose only weight has a shape that somebody made up."""
    proto = onnx.load_model_from_string(chain(0))
    (tensor,) = proto.graph.initializer
    tensor.ClearField("raw_data")
    del tensor.dims[:]
    tensor.dims.extend(dims)
    tensor.doc_string = spread
    return packed(proto.SerializeToString())


def test_a_small_text_cannot_stand_for_gigabytes() -> None:
    text = packed(bytes(8 * MOST_GRAPH_BYTES))
    assert len(text) < MOST_GRAPH_BYTES / 50
    tracemalloc.start()
    try:
        with pytest.raises(SkeletonError, match=f"of at most {MOST_GRAPH_BYTES} bytes"):
            restore_weights(text, seed=0)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The growing buffer of a decompression is copied once at most.
    assert peak_bytes < 3 * MOST_GRAPH_BYTES


@pytest.mark.parametrize("dims", [(2**62, 2), (2**31,), (2**16, 2**16), (-1, 8), (2**40,) * 8])
def test_weights_of_absurd_shapes_are_refused_before_they_are_drawn(dims: tuple[int, ...]) -> None:
    with pytest.raises(SkeletonError) as caught:
        restore_weights(with_dims(*dims), seed=0)
    assert "bytes" in caught.value.received or "shape" in caught.value.received


@pytest.mark.parametrize("spread", ["[1e999,1,0,1]", "[NaN,1,0,1]", "[0,-1,0,1]", "[0]", "["])
def test_a_spread_that_is_none_is_refused(spread: str) -> None:
    with pytest.raises(SkeletonError, match="Expected a stored graph"):
        restore_weights(with_dims(8, 3, 3, 3, spread=spread), seed=0)


def test_all_graphs_of_a_table_have_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    text = strip_weights(chain(1))
    size_bytes = len(restore_weights(text, seed=0))
    monkeypatch.setattr(skeleton, "MOST_RESTORED_BYTES", 2 * size_bytes + 400)
    assert list(restore_all({"a": text, "b": text}, seed=0)) == ["a", "b"]
    with pytest.raises(SkeletonError, match="graphs that take at most"):
        restore_all({"a": text, "b": text, "c": text}, seed=0)


def test_large_weights_are_drawn_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = strip_weights(chain(2, channels=32))
    whole = restore_weights(text, seed=1)
    monkeypatch.setattr(skeleton, "DRAWN_AT_ONCE", 100)
    assert restore_weights(text, seed=1) == whole


def test_infinities_of_a_mask_leave_a_spread() -> None:
    mask = np.array([0.0, -np.inf] * 32, np.float32)
    nodes = [onnx.helper.make_node("Add", ["image", "mask"], ["pooled"])]
    model = finish(nodes, [1, 64], [1, 64], [numpy_helper.from_array(mask, "mask")])
    assert np.isfinite(weights(restore_weights(strip_weights(model), seed=0))["mask"]).all()


def test_a_weight_whose_bytes_do_not_fit_its_shape_is_refused() -> None:
    proto = onnx.load_model_from_string(chain(0))
    proto.graph.initializer[0].dims[0] = 10**12
    with pytest.raises(SkeletonError, match="a weight 'w0' whose bytes fit"):
        strip_weights(proto.SerializeToString())
