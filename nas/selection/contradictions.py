"""Which bounds cannot be kept together, and what each could be at least."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from nas.cost.constraints import Quantity
from nas.errors import InputError
from nas.selection.limits import Limits


def bounds_text(quantities: Sequence[Quantity]) -> str:
    """The bounds as flags write them.

    Args:
        quantities: Those without a bound are left out.
    """
    return ", ".join(f"--max_{q.name} {q.most}" for q in quantities if q.most is not None)


def contradicting(quantities: Sequence[Quantity]) -> tuple[tuple[Quantity, ...], ...]:
    """The smallest groups of bounds that no network keeps together.

    Args:
        quantities: Of one space.

    Returns:
        Every bound that none keeps by itself; else every such pair, and so on. Empty where all
        bounds can be kept together.
    """
    bounded = [quantity for quantity in quantities if quantity.most is not None]
    for count in range(1, len(bounded) + 1):
        groups = itertools.combinations(bounded, count)
        found = tuple(group for group in groups if not Limits(group).has_networks())
        if found:
            return found
    return ()


def check_bounds(space_name: str, quantities: Sequence[Quantity]) -> None:
    """Refuses bounds that no network keeps, which needs no milliseconds.

    Args:
        space_name: Of the space.
        quantities: Of the space.

    Raises:
        InputError: As said; names the bounds that contradict the space or each other.
    """
    if not Limits(quantities).has_networks():
        raise impossible_bounds(space_name, quantities)


def impossible_bounds(space_name: str, quantities: Sequence[Quantity]) -> InputError:
    """The error of bounds that contradict the space, or each other.

    Args:
        space_name: Of the space.
        quantities: Of the space, with bounds that cannot be kept together.
    """
    groups = contradicting(quantities)
    parts = [_needed(group, quantity) for group in groups for quantity in group]
    received = bounds_text(quantities)
    if len(groups[0]) > 1:
        received += "".join(f"; no network keeps {bounds_text(group)} together" for group in groups)
    return InputError(
        f"bounds that a network of space `{space_name}` can keep: {', '.join(parts)}",
        received,
        "loosen a bound that is named, or choose another --space",
    )


def _needed(group: Sequence[Quantity], quantity: Quantity) -> str:
    """What one count could be at least beside the other bounds of a group."""
    others = [other for other in group if other is not quantity]
    least = Limits([*others, quantity.bounded(None)]).least(quantity.bounded(None))
    beside = f" beside {bounds_text(others)}" if others else ""
    return f"{quantity.name} of at least {least}{beside}"
