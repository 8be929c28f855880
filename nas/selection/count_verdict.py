"""Whether a network has the count that was asked for; counts are exact, so that it can be told."""

from __future__ import annotations

from latency.measurement.verdict import MARGIN, Verdict
from nas.architecture.spec import Architecture
from nas.cost.counts import architecture_cost
from nas.cost.units import Unit
from nas.selection.goals import Target


def count_of(network: Architecture, unit: Unit) -> int:
    """A count of a whole network.

    Args:
        network: Of a space, or another one.
        unit: Of the count.
    """
    found: int = getattr(architecture_cost(network), unit.name)
    return found


def count_verdict(
    network: Architecture, target: Target | None, margin: float = MARGIN
) -> Verdict | None:
    """Judges a network as a measurement judges milliseconds: it was asked to use its budget.

    Args:
        network: That was found.
        target: What was asked; None where nothing was, or milliseconds were.
        margin: Relative margin on both sides; 0.02 by default, as for milliseconds.
    """
    if target is None or target.unit.is_measured:
        return None
    unit, found = target.unit, count_of(network, target.unit)
    low, high = (unit.number(share * target.value) for share in (1 - margin, 1 + margin))
    if (1 - margin) * target.value <= found <= (1 + margin) * target.value:
        return Verdict(True, f"{unit.written(found)} lie within {low} to {high}", "")
    side = "fewer" if found < target.value else "more"
    fix = f"choose another --space, or ask for {unit.text} that one has: --{unit.flag} {found}"
    return Verdict(False, f"{unit.written(found)} are {side} than {low} to {high}", fix)
