"""Warnings appear with their numbers, and only where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from nas.derive import GateProbabilities
from nas.diagnostics import comparison_warning, label_warning, search_warnings
from nas.runtime import SpaceLatency
from nas.spaces import get_space
from nas.spec import Skip

SPACE = get_space("sample")


def gates(lead: float) -> GateProbabilities:
    count = len(SPACE.choices)
    rest = (1 - lead) / 3
    kernel = np.tile((rest + lead, rest, rest), (count, 1))
    skip = np.array([(0.9, 0.1) if c.skippable else (1.0, 0.0) for c in SPACE.choices])
    return GateProbabilities(kernel, np.tile((0.9, 0.1), (count, 1)), skip, (3, 5, 7), (3, 6))


def latency(step_ms: float) -> SpaceLatency:
    rows = tuple(
        np.array(
            [0.0 if isinstance(o, Skip) else 0.1 + step_ms * i for i, o in enumerate(c.options)]
        )
        for c in SPACE.choices
    )
    return SpaceLatency(0.1, rows, 1.0, 0.0)


def warnings(**changes):  # type: ignore[no-untyped-def]
    values = {
        "space": SPACE,
        "latency": latency(0.05),
        "probabilities": gates(0.9),
        "architecture": SPACE.largest(),
        "history": [{"gate_cross_entropy": 2.0, "penalty": 0.1, "input_wait_share": 0.0}],
        "penalty": 0.1,
        "table_noise": 0.01,
        "gates": {"probabilities": [[[0.5, 0.5], [0.2, 0.8]], [[0.4, 0.6], [0.2, 0.8]]]},
    }
    return " ".join(search_warnings(**{**values, **changes}))


def test_a_good_search_warns_of_nothing() -> None:
    # The largest network of this space has 7x7 kernels on 4x4 maps, which just see data.
    assert warnings() == ""


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"architecture": SPACE.smallest()}, "left out 6 of 6 blocks"),
        ({"probabilities": gates(0.0)}, "nearly flat"),
        (
            {"gates": {"probabilities": [[[0.5, 0.5], [1.0]], [[0.497, 0.503], [1.0]]]}},
            "hardly moved: since the warm-up no probability changed by more than 0.003",
        ),
        (
            {"history": [{"gate_cross_entropy": 1.0, "penalty": 3.0, "input_wait_share": None}]},
            "larger than the cross-entropy",
        ),
        ({"latency": latency(0.0001), "table_noise": 0.05}, "less than the table's noise (5.0%)"),
        (
            {"history": [{"gate_cross_entropy": None, "penalty": 0, "input_wait_share": 0.4}]},
            "waited for images 40% of the time",
        ),
    ],
)
def test_each_trouble_has_its_warning(changes: dict, text: str) -> None:  # type: ignore[type-arg]
    assert text in warnings(**changes)


def test_kernel_larger_than_its_map() -> None:
    space = get_space("mnasnet", 32)
    architecture = space.largest()
    count = len(space.choices)
    p = GateProbabilities(
        np.tile((1.0, 0.0), (count, 1)),
        np.tile((1.0, 0.0), (count, 1)),
        np.tile((1.0, 0.0), (count, 1)),
        (3, 5),
        (3, 6),
    )
    rows = tuple(np.linspace(0.1, 1, len(c.options)) for c in space.choices)
    text = " ".join(
        search_warnings(
            space,
            SpaceLatency(0.1, rows, 1, 0),
            p,
            architecture,
            [],
            0.1,
            None,
            {"probabilities": []},
        )
    )
    assert "5x5 kernel on a 2x2 map" in text or "5x5 kernel on a 1x1 map" in text


def test_random_networks_that_did_better_are_told() -> None:
    assert comparison_warning(0.9, []) == comparison_warning(0.9, [0.8, 0.9]) == []
    text = comparison_warning(0.77, [0.91, 0.5])[0]
    assert "1 of 2 random" in text and "91.0%" in text and "77.0%" in text


def test_labels_mapped_differently_are_suspected() -> None:
    assert label_warning(0.35, 0.006)
    assert not label_warning(0.35, 0.33)
    assert not label_warning(0.01, 0.0), "nothing learned says nothing about labels"
