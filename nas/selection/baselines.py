"""Networks to compare with at equal cost: random ones and uniformly scaled ones.

The cost is what the goal is asked in: milliseconds are measured, and a count is exact.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np

from nas.architecture.number_formats import NumberFormat, bits_of
from nas.architecture.shapes import round_to_multiple
from nas.architecture.spec import Architecture, Layer
from nas.methods.method import Network, several
from nas.methods.random import RandomMethod
from nas.search_space.decisions import is_formats
from nas.search_space.space import OneOf, Space
from nas.selection.feasible import BoundedSpace

# Random networks count as equal within this share of the measured milliseconds, or of the count.
EQUAL_MARGIN = 0.02
# Candidates are drawn from this share around the aim, then measured or counted, so often at most.
PREDICTED_MARGIN = 0.01
ROUNDS = 8
# Of the widths of uniformly scaled networks, which are multiples of so many channels.
MULTIPLIERS = tuple(number / 16 for number in range(4, 33))
WIDTH_STEP = 8
Formats = Mapping[str, NumberFormat | None]
NO_FORMATS: Formats = MappingProxyType({})
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


def uniform_network(space: Space, multiplier: float, formats: Formats = NO_FORMATS) -> Architecture:
    """All 3x3, expansion 6 (the largest), every width scaled, every block in the same formats.

    Widths are rounded to 8 channels, or to less where they are no multiples of 8. The class scores
    stay.

    Args:
        space: Gives depth, strides and the widths at multiplier 1.
        multiplier: Of all widths.
        formats: Attribute of a record, such as `weight_format` -> what all blocks have that decide
            it; others have their last value, which is the one of the most bits.
    """
    options = [_uniform_option(x, formats) if isinstance(x, OneOf) else x for x in space.layers]
    scaled = [_scaled(layer, multiplier) for layer in options[:-1]]
    return Architecture(space.image_size, (*scaled, options[-1]), "uniform")


def _scaled(layer: Layer, multiplier: float) -> Layer:
    """A layer with its channels or units times a number."""
    name = next((name for name in ("channels", "units") if hasattr(layer, name)), None)
    if name is None:
        return layer
    width = getattr(layer, name)
    step = math.gcd(width, WIDTH_STEP)
    changes: dict[str, Any] = {name: round_to_multiple(width * multiplier, step)}
    return dataclasses.replace(layer, **changes)


def _uniform_option(choice: OneOf, formats: Formats) -> Layer:
    """The smallest kernel and the named formats; of every other decision the largest value."""
    places = {d.name: 0 if d.name == "kernel" else -1 for d in choice.block_decisions}
    values = {d.name: d.options[places[d.name]] for d in choice.block_decisions}
    return choice.block({name: formats.get(name, value) for name, value in values.items()})


def uniform_formats(space: Space, measure: Measure) -> tuple[Formats, ...]:
    """Every combination of formats that all blocks can have together, as far as they cost.

    A format that does not change the cost is left out: it has its most bits.

    Args:
        space: Whose blocks may decide formats.
        measure: Name -> architecture to name -> counts.

    Returns:
        Attribute -> format; one empty mapping where nothing decides a format that all others have.
    """
    found: dict[str, tuple[NumberFormat | None, ...]] = {}
    for choice in space.choices:
        for decision in choice.block_decisions:
            if is_formats(decision.options):
                known = found.get(decision.name, decision.options)
                found[decision.name] = tuple(v for v in known if v in decision.options)
    shared = {name: values for name, values in found.items() if values}
    if not shared:
        return (NO_FORMATS,)
    few = {name: values[0] for name, values in shared.items()}
    wider = {name: {**few, name: values[-1]} for name, values in shared.items()}
    counts = measure({n: uniform_network(space, 1.0, f) for n, f in {"": few, **wider}.items()})
    costly = {name: values for name, values in shared.items() if counts[name] != counts[""]}
    return tuple(dict(zip(costly, row, strict=True)) for row in product(*costly.values()))


def equal_uniform_network(
    space: Space, reference: Architecture, measure: Measure
) -> tuple[Architecture, float]:
    """The uniformly scaled network whose cost is nearest the reference's.

    Where blocks decide formats, all of them have the same ones, and many networks cost as much. Of
    those that are equal within 2 % the one is taken that is nearest to the space's own widths and
    to equal bits of weights and of what is read, by factors of bit operations: the square of the
    widths' multiplier, and the greater bits over the smaller ones.

    Args:
        space: Gives depth, strides and the widths at multiplier 1.
        reference: The network to match.
        measure: Name -> architecture to name -> milliseconds, interleaved, or counts.

    Returns:
        The network, and its cost over the reference's.
    """
    every = uniform_formats(space, measure)
    networks: dict[str, Architecture] = {}
    factors: dict[str, float] = {}
    known: set[Architecture] = set()
    for (number, formats), multiplier in product(enumerate(every), MULTIPLIERS):
        network = uniform_network(space, multiplier, formats)
        name = f"{multiplier:.4f}, {number}"
        if network not in known:
            known.add(network)
            bits = [bits_of(value) for value in formats.values()] or [1]
            networks[name] = network
            factors[name] = max(multiplier, 1 / multiplier) ** 2 * max(bits) / min(bits)
    measured = measure({"reference": reference, **networks})
    wanted = measured["reference"]
    gaps = {name: abs(measured[name] / wanted - 1) for name in networks}
    equal = [name for name in networks if gaps[name] <= EQUAL_MARGIN]
    if len(every) > 1 and equal:
        best = min(equal, key=lambda name: (factors[name], gaps[name]))
    else:
        best = min(networks, key=gaps.__getitem__)
    return networks[best], measured[best] / wanted
