"""Names of what a goal may be asked in, and counts of a space as sums over its options."""

from __future__ import annotations

import itertools

import pytest

from nas.cost.constraints import counted_cost
from nas.cost.counts import architecture_cost
from nas.cost.units import BOPS, BY_NAME, MILLISECONDS, UNITS, WEIGHT_BITS, Unit
from tests.support.toy import toy_space


@pytest.mark.parametrize(
    ("unit", "value", "label"),
    [
        (MILLISECONDS, 1.2, "1.2ms"),
        (BOPS, 3.5e7, "3.5e7bops"),
        (BOPS, 70_347_776, "70347776bops"),
        (BOPS, 1e9, "1e9bops"),
        (WEIGHT_BITS, 1_542_848, "1542848weight_bits"),
        # As long as 1.234e6, which is harder to read.
        (WEIGHT_BITS, 1_234_000, "1234000weight_bits"),
        (WEIGHT_BITS, 8, "8weight_bits"),
    ],
)
def test_a_count_is_whole_in_the_name_of_its_folder(unit: Unit, value: float, label: str) -> None:
    assert unit.label(value) == label
    assert unit.is_measured or float(label.removesuffix(unit.name)) == value


def test_neighbouring_counts_have_names_of_their_own() -> None:
    counts = [*range(999_990, 1_000_011), *range(10**9 - 3, 10**9 + 4)]
    assert len({BOPS.label(count) for count in counts}) == len(counts)


def test_every_unit_is_found_by_both_of_its_names() -> None:
    assert {UNITS[unit.quantity] for unit in UNITS.values()} == set(BY_NAME.values())
    assert [unit.flag for unit in UNITS.values()] == [
        *("target_ms", "target_bops", "target_weight_bits")
    ]


@pytest.mark.parametrize("unit", [BOPS, WEIGHT_BITS])
def test_counts_of_a_space_are_those_of_its_networks(unit: Unit) -> None:
    space = toy_space()
    cost = counted_cost(space, unit)
    networks = list(itertools.product(*(range(len(row)) for row in cost.options)))
    counts = [getattr(architecture_cost(space.decode(n)), unit.name) for n in networks]
    assert [cost.of(network) for network in networks] == counts
    assert cost.range() == (min(counts), max(counts))
    assert cost.unit is unit
