"""A search of a few steps and a derivation, on whichever backend KERAS_BACKEND names.

Run by tests/programs/test_backends.py: in a process of its own for every backend but the test
process's, since a process has one.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from nas.architecture.spec import Conv, Dense, GlobalAveragePool, MBConv, Skip
from nas.cost.constraints import Bounds
from nas.data import Split
from nas.hardware.predictor import SpaceLatency
from nas.methods.config import SearchConfig, supernet_recipe
from nas.methods.proposals import ScoreMethod
from nas.search_space.space import OneOf, Space
from nas.selection.choice import choose_network
from nas.selection.feasible import BoundedSpace
from nas.system import backend
from nas.training.recipe import Pace


def space_of_two() -> Space:
    """Two choices at 16 px: stride 1 with skip, and stride 2."""

    def options(stride: int, channels: int) -> tuple[MBConv, ...]:
        return tuple(MBConv(k, stride, e, channels) for k in (3, 5) for e in (3, 6))

    return Space(
        "toy",
        16,
        (
            Conv(3, 2, 8),
            OneOf("keep", (*options(1, 8), Skip())),
            OneOf("down", options(2, 16)),
            GlobalAveragePool(),
            Dense(4),
        ),
    )


def search(execution: str, compared: str | None = None) -> dict[str, Any]:
    """Searches, derives and scores; returns what happened.

    Args:
        execution: How weight steps run the supernet.
        compared: `alone` or `parallel`, on all devices: weights learn by SGD then, since Adam makes
            whole steps of gradients that are nothing but rounding.
    """
    backend.start(backend.Compute(data_parallel=compared == "parallel"))
    import keras

    from nas.methods.gradient import GradientSearch
    from nas.supernet.scoring import ForwardViews, SharedScorer
    from nas.training.loop import Control

    space = space_of_two()
    rng = np.random.default_rng(0)
    labels = (np.arange(64) % 4).astype(np.int32)
    images = rng.integers(0, 256, (64, 16, 16, 3), np.uint8)
    rows = tuple(
        np.array([0.0 if isinstance(o, Skip) else 0.1 * (i + 1) for i, o in enumerate(c.options)])
        for c in space.choices
    )
    latency = SpaceLatency(0.2, rows, 1.0, 0.0)
    weights = supernet_recipe(2.0, 8)
    if compared is not None:
        weights = weights.changed(optimizer="sgd")
    config = SearchConfig(weights=weights, execution=execution)
    searcher = GradientSearch(
        space,
        latency.cost,
        Split(images, labels),
        config,
        Control(pace=Pace(log_every=1)),
        target=0.8,
    )
    weights_before = [np.array(keras.ops.convert_to_numpy(v)) for v in searcher.network.variables]
    result = searcher.run(lambda state: None)
    moved = [
        v.path
        for v, before in zip(searcher.network.variables, weights_before, strict=True)
        if not np.array_equal(keras.ops.convert_to_numpy(v), before)
    ]
    statistics = [
        np.asarray(keras.ops.convert_to_numpy(v)).tolist()
        for v in searcher.network.variables
        if v.path.endswith(("moving_mean", "mean"))
    ]
    bounded = BoundedSpace(space, latency.cost, Bounds())
    method = ScoreMethod(bounded, result.probabilities.scores(space))
    choice = choose_network(bounded, method, 0.8, None)
    views = ForwardViews.of(searcher.network, execution)
    scorer = SharedScorer(views, Split(images, labels), 32, Split(images, labels))
    return {
        "backend": keras.backend.backend(),
        "expected_ms": result.expected,
        "predicted_ms": choice.predicted,
        "loss": [row["loss"] for row in result.history],
        "gate_cross_entropy": [row["gate_cross_entropy"] for row in result.history],
        "statistics": statistics,
        "moved": moved,
        "score": scorer.accuracy(choice.indices).top1,
    }


if __name__ == "__main__":
    print(json.dumps(search(*sys.argv[1:])))
