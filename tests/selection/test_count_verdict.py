"""Whether a network has the count that was asked for."""

from __future__ import annotations

import pytest

from nas.cost.units import BOPS, MILLISECONDS, WEIGHT_BITS, Unit
from nas.selection.count_verdict import count_of, count_verdict
from nas.selection.goals import Target
from tests.support.toy import toy_space

NETWORK = toy_space().largest()


@pytest.mark.parametrize("unit", [BOPS, WEIGHT_BITS])
@pytest.mark.parametrize(
    ("share", "is_met", "word"),
    [
        (1.0, True, "lie within"),
        (1.015, True, "lie within"),
        (1.05, False, "fewer"),
        (0.95, False, "more"),
    ],
)
def test_a_count_is_met_within_the_margin_on_both_sides(
    unit: Unit, share: float, is_met: bool, word: str
) -> None:
    found = count_of(NETWORK, unit)
    verdict = count_verdict(NETWORK, Target(share * found, unit.quantity))
    assert verdict is not None and verdict.met is is_met
    assert verdict.reason.startswith(f"{found} {unit.text}") and word in verdict.reason
    # What to do next names a value that this network has.
    assert (f"--{unit.flag} {found}" in verdict.fix) is not is_met


def test_nothing_is_judged_without_a_count_that_was_asked_for() -> None:
    assert count_verdict(NETWORK, None) is None
    assert count_verdict(NETWORK, Target(1.0, MILLISECONDS.quantity)) is None
