"""Networks to compare with at equal cost: random ones and uniformly scaled ones.

The cost is what the goal is asked in: milliseconds are measured, and a count is exact.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nas.architecture.shapes import round_to_multiple
from nas.architecture.spec import Architecture, Layer
from nas.methods.method import Network, several
from nas.methods.random import RandomMethod
from nas.search_space.space import OneOf, Space
from nas.selection.feasible import BoundedSpace

# Random networks count as equal within this share of the measured milliseconds, or of the count.
EQUAL_MARGIN = 0.02
# Candidates are drawn from this share around the aim, then measured or counted, so often at most.
PREDICTED_MARGIN = 0.01
ROUNDS = 8
# A comparison with a race's own random candidates would be none.
OTHER_DRAWS = 1_000_003

Measure = Callable[[Mapping[str, Architecture]], dict[str, float]]


def equal_random_networks(
    bounded: BoundedSpace,
    reference: Architecture,
    reference_cost: float,
    count: int,
    seed: int,
    measure: Measure,
    margin: float = EQUAL_MARGIN,
) -> list[Architecture]:
    """Random networks within the same bounds that cost what a reference does, within 2 %.

    Args:
        bounded: Where to draw.
        reference: The network to match; it is measured again beside the candidates.
        reference_cost: Its milliseconds by the table, or its count.
        count: How many are wanted; fewer come back if no more can be found.
        seed: Of the draws.
        measure: Name -> architecture to name -> milliseconds, interleaved, or counts.
        margin: Share by which what it gives may differ.
    """
    space = bounded.space
    method = RandomMethod(bounded, seed + OTHER_DRAWS)
    known = [space.encode(reference)] if space.contains(reference) else []
    accepted: list[Network] = []
    aim = reference_cost
    for _ in range(ROUNDS):
        missing = count - len(accepted)
        if missing == 0:
            break
        low, high = (share * aim for share in (1 - PREDICTED_MARGIN, 1 + PREDICTED_MARGIN))
        candidates = several(method, low, high, 3 * missing, known)
        if not candidates:
            break
        known += candidates
        networks = {f"{i}": space.decode(c) for i, c in enumerate(candidates)}
        measured = measure({"reference": reference, **networks})
        ratios = [measured[f"{i}"] / measured["reference"] for i in range(len(candidates))]
        equal = [c for c, r in zip(candidates, ratios, strict=True) if abs(r - 1) <= margin]
        accepted += equal[:missing]
        # The predictor may be off for the reference alone: aim where the candidates land.
        aim /= float(np.median(ratios))
    return [space.decode(indices) for indices in accepted]


def uniform_network(space: Space, multiplier: float) -> Architecture:
    """All 3x3, expansion 6 (the largest), every width scaled and rounded to 8 channels.

    Args:
        space: Gives depth, strides and the widths at multiplier 1.
        multiplier: Of all widths.
    """

    def scaled(layer: Layer) -> Layer:
        changes: dict[str, Any] = {}
        if hasattr(layer, "channels"):
            changes["channels"] = round_to_multiple(layer.channels * multiplier)
        return dataclasses.replace(layer, **changes)

    layers = [_uniform_option(x) if isinstance(x, OneOf) else x for x in space.layers]
    return Architecture(space.image_size, tuple(scaled(layer) for layer in layers), "uniform")


def _uniform_option(choice: OneOf) -> Layer:
    """The smallest kernel; of every other decision the largest value."""
    places = {d.name: 0 if d.name == "kernel" else -1 for d in choice.block_decisions}
    return choice.block({d.name: d.options[places[d.name]] for d in choice.block_decisions})


def equal_uniform_network(
    space: Space, reference: Architecture, measure: Measure
) -> tuple[Architecture, float]:
    """The uniformly scaled network whose cost is nearest the reference's.

    Args:
        space: Gives depth, strides and the widths at multiplier 1.
        reference: The network to match.
        measure: Name -> architecture to name -> milliseconds, interleaved, or counts.

    Returns:
        The network, and its cost over the reference's.
    """
    networks: dict[str, Architecture] = {}
    for multiplier in np.arange(0.25, 2.01, 0.0625):
        network = uniform_network(space, float(multiplier))
        if network not in networks.values():
            networks[f"{multiplier:.4f}"] = network
    measured = measure({"reference": reference, **networks})
    wanted = measured["reference"]
    best = min(networks, key=lambda name: abs(measured[name] / wanted - 1))
    return networks[best], measured[best] / wanted
