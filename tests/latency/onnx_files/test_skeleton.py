"""Stored graphs without weights."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from latency.device.graph_info import describe_model
from latency.device.settings import SessionSettings
from latency.onnx_files.skeleton import restore_weights, strip_weights
from tests.support.latency_graphs import chain


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
