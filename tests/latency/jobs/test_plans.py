"""Plans of rows and whole networks, refused before anything is timed."""

from __future__ import annotations

import pytest

from latency.jobs.plans import RowError, RowPlan, WholePlan, check_plans
from tests.support.latency_graphs import toy_table


@pytest.mark.parametrize("divisor", [0, -1, float("nan")])
def test_a_row_plan_refuses_a_divisor(divisor: float) -> None:
    with pytest.raises(ValueError, match="Expected a divisor above 0 for row 'r'.\nReceived: "):
        RowPlan("r", "long", "short", divisor)


def test_a_whole_plan_refuses_a_role() -> None:
    with pytest.raises(ValueError, match="Received: 'test'.\nFix: use one of them"):
        WholePlan("net", (), "test")


@pytest.mark.parametrize(
    ("wholes", "text"),
    [
        ([WholePlan("net9", ("stem",), "held_out")], "Received: none for net9 (1 missing)"),
        ([WholePlan("net1", ("roof",), "held_out")], "Received: none for roof (1 missing)"),
        ([WholePlan("net1", ("stem",), "held_out")] * 2, "repeated: net1.\nFix:"),
    ],
)
def test_plans_that_name_nothing_are_refused_before_anything_is_timed(
    wholes: list[WholePlan], text: str
) -> None:
    with pytest.raises(ValueError) as info:
        toy_table(wholes=wholes)
    assert text in str(info.value)


def test_two_rows_of_the_same_graphs_are_refused() -> None:
    rows = (RowPlan("one", "chain4", "chain1", 3), RowPlan("two", "chain4", "chain1", 6))
    with pytest.raises(RowError) as info:
        check_plans(("chain1", "chain4"), rows, ())
    assert "Received: 'one' and 'two', both of 'chain4' and 'chain1'." in str(info.value)
    check_plans(("chain1", "chain4"), (rows[0], RowPlan("two", "chain4", None, 1)), ())
