"""Networks to compare with at equal latency: random ones and uniformly scaled ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from nas.runtime import SpaceLatency
from nas.shapes import round_to_multiple
from nas.space import OneOf, Space
from nas.spec import Architecture, Conv, Layer, MBConv

# Random networks count as equal within this share of the measured milliseconds.
EQUAL_MARGIN = 0.02

Measure = Callable[[Mapping[str, Architecture]], dict[str, float]]


def random_candidates(
    space: Space,
    latency: SpaceLatency,
    target_ms: float,
    count: int,
    rng: np.random.Generator,
    exclude: tuple[int, ...] | None = None,
) -> list[tuple[int, ...]]:
    """Networks drawn evenly from the space among those predicted near a latency.

    Even draws that miss are thrown away; where the space has hardly any network near the
    target, the nearest draws are walked towards it by single changes.

    Args:
        space: Where to draw.
        latency: Its predictor.
        target_ms: Predicted milliseconds wanted.
        count: How many networks.
        rng: Source of chance.
        exclude: A network that must not come out.
    """
    sizes = [len(choice.options) for choice in space.choices]
    found: list[tuple[int, ...]] = []
    for _ in range(20_000):
        if len(found) == count:
            return found
        indices = tuple(int(rng.integers(size)) for size in sizes)
        near = abs(latency.predict_ms(indices) / target_ms - 1) <= EQUAL_MARGIN / 2
        if near and indices != exclude and indices not in found:
            found.append(indices)
    for _ in range(50 * count):
        if len(found) == count:
            break
        indices = _walk(space, latency, target_ms, rng)
        near = abs(latency.predict_ms(indices) / target_ms - 1) <= EQUAL_MARGIN
        if near and indices != exclude and indices not in found:
            found.append(indices)
    return found


def _walk(
    space: Space, latency: SpaceLatency, target_ms: float, rng: np.random.Generator
) -> tuple[int, ...]:
    """From a random network towards the target; a change is kept if it comes nearer."""
    sizes = [len(choice.options) for choice in space.choices]
    current = tuple(int(rng.integers(size)) for size in sizes)
    for _ in range(200):
        place = int(rng.integers(len(sizes)))
        changed = list(current)
        changed[place] = int(rng.integers(sizes[place]))
        new = abs(latency.predict_ms(tuple(changed)) - target_ms)
        if new <= abs(latency.predict_ms(current) - target_ms):
            current = tuple(changed)
    return current


def equal_random_networks(
    space: Space,
    latency: SpaceLatency,
    reference: Architecture,
    reference_predicted_ms: float,
    count: int,
    seed: int,
    measure: Measure,
    margin: float = EQUAL_MARGIN,
) -> list[Architecture]:
    """Random networks whose measured latency is within 2 % of the reference's.

    Args:
        space: Where to draw.
        latency: Its predictor.
        reference: The network to match; it is measured again beside the candidates.
        reference_predicted_ms: Its prediction.
        count: How many are wanted; fewer come back if no more can be found.
        seed: Of the draws.
        measure: Name -> architecture to name -> milliseconds, interleaved.
        margin: Share by which measured milliseconds may differ.
    """
    rng = np.random.default_rng((seed, 7))
    excluded = space.encode(reference) if space.contains(reference) else None
    accepted: list[tuple[int, ...]] = []
    aim_ms = reference_predicted_ms
    for _ in range(8):
        missing = count - len(accepted)
        if missing == 0:
            break
        candidates = [
            c
            for c in random_candidates(space, latency, aim_ms, 3 * missing, rng, excluded)
            if c not in accepted
        ]
        networks = {f"{i}": space.decode(c) for i, c in enumerate(candidates)}
        measured = measure({"reference": reference, **networks})
        ratios = [measured[f"{i}"] / measured["reference"] for i in range(len(candidates))]
        accepted += [c for c, r in zip(candidates, ratios, strict=True) if abs(r - 1) <= margin][
            :missing
        ]
        if ratios:
            # The predictor may be off for the reference alone: aim where the candidates land.
            aim_ms /= float(np.median(ratios))
    return [space.decode(indices) for indices in accepted]


def uniform_network(space: Space, multiplier: float) -> Architecture:
    """All 3x3, expansion 6 (the largest), every width scaled and rounded to 8 channels.

    Args:
        space: Gives depth, strides and the widths at multiplier 1.
        multiplier: Of all widths.
    """

    def scaled(layer: Layer) -> Layer:
        if isinstance(layer, Conv | MBConv):
            channels = round_to_multiple(layer.channels * multiplier)
            return dataclasses.replace(layer, channels=channels)
        return layer

    layers = [
        layer.option(min(layer.kernels), max(layer.expansions))
        if isinstance(layer, OneOf)
        else layer
        for layer in space.layers
    ]
    return Architecture(space.image_size, tuple(scaled(layer) for layer in layers), "uniform")


def equal_uniform_network(
    space: Space, reference: Architecture, measure: Measure
) -> tuple[Architecture, float]:
    """The uniformly scaled network whose measured latency is nearest the reference's.

    Returns:
        The network, and its measured milliseconds over the reference's.
    """
    networks: dict[str, Architecture] = {}
    for multiplier in np.arange(0.25, 2.01, 0.0625):
        network = uniform_network(space, float(multiplier))
        if network not in networks.values():
            networks[f"{multiplier:.4f}"] = network
    measured = measure({"reference": reference, **networks})
    reference_ms = measured["reference"]
    best = min(networks, key=lambda name: abs(measured[name] / reference_ms - 1))
    return networks[best], measured[best] / reference_ms
