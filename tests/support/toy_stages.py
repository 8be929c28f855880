"""What stages of a toy run are given in tests: images, milliseconds and measurements, made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nas.architecture.spec import Architecture, MBConv
from nas.architecture.weights import random_weights
from nas.builders.onnx_model import to_onnx
from nas.data import Dataset, Split
from nas.deployment.metadata import metadata_for, with_metadata
from nas.hardware.measurement import Doubt, TimedNetworks
from nas.hardware.predictor import SpaceLatency
from nas.pipeline.costs import RunCosts
from nas.search_space.space import Space
from tests.support.timings import timing
from tests.support.toy import IMAGE_SIZE, SAMPLE_CLASSES


def toy_dataset(images_a_class: int = 5) -> Dataset:
    """Noise with a class's own brightness: there is something to learn.

    Args:
        images_a_class: Of the training split; the evaluation split has two.
    """
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        labels = np.arange(count * SAMPLE_CLASSES, dtype=np.int32) % SAMPLE_CLASSES
        noise = rng.integers(0, 60, (len(labels), IMAGE_SIZE, IMAGE_SIZE, 3))
        return Split((noise + 15 * labels[:, None, None, None]).astype(np.uint8), labels)

    names = tuple(f"class {i}" for i in range(SAMPLE_CLASSES))
    return Dataset("toy", split(images_a_class), split(2), names, IMAGE_SIZE, "0" * 16, True)


def exported_file(network: Architecture, seed: int = 0) -> bytes:
    """A model.onnx as `main.py` writes it, of a network that learned nothing.

    Args:
        network: With the sample's classes.
        seed: Of its weights.
    """
    metadata = metadata_for(network, toy_dataset(), None)
    return with_metadata(to_onnx(network, random_weights(network, seed=seed)), metadata)


def toy_latency(space: Space) -> SpaceLatency:
    """An expansion of 3 is one unit of 0.1 ms, of 6 two units, everything fixed five.

    Args:
        space: `tests.support.toy.toy_space`.
    """
    units = tuple(
        np.array([o.expansion / 3 if isinstance(o, MBConv) else 0.0 for o in choice.options])
        for choice in space.choices
    )
    return SpaceLatency(0.5, tuple(0.1 * row for row in units), 1.0, 0.0)


def toy_costs(space: Space) -> RunCosts:
    """What a run for milliseconds knows of the space, without a table's rows.

    Args:
        space: `tests.support.toy.toy_space`.
    """
    latency = toy_latency(space)
    return RunCosts(space, latency.cost, latency, None)


class FakeClock:
    """Stands in for `measure_networks`: every network takes what its name says.

    Args:
        ms: Name -> milliseconds; others take 1 ms.
        doubt: Of the table; None for none.
    """

    def __init__(self, ms: Mapping[str, float], doubt: Doubt | None = None) -> None:
        self.ms, self.doubt, self.asked = ms, doubt, list[tuple[str, ...]]()

    def __call__(self, networks: Mapping[str, bytes], *_: Any, **__: Any) -> TimedNetworks:
        self.asked.append(tuple(networks))
        found = {name: timing(self.ms.get(name, 1.0)) for name in networks}
        return TimedNetworks(found, self.doubt)
