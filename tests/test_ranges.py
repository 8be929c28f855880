"""Checks of numbers: every way out of a range, and what the message says."""

from __future__ import annotations

import math
from typing import Any

import pytest

from nas.errors import InputError
from nas.ranges import check_count, check_number


@pytest.mark.parametrize("value", [0.0, 0, 0.5, 1])
def test_a_number_within_its_range_passes(value: float) -> None:
    check_number("share", value, least=0, most=1)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, -math.inf, True, "1", None])
def test_everything_else_is_refused_by_the_name_of_its_field(value: Any) -> None:
    with pytest.raises(InputError) as refused:
        check_number("share", value, least=0, most=1)
    assert refused.value.expected == "share to be a number from 0 and up to 1"
    assert refused.value.received == repr(value)
    assert refused.value.fix == "set share from 0 and up to 1"


def test_open_ends_do_not_belong_to_the_range() -> None:
    for wrong in (0.0, 1.0):
        with pytest.raises(InputError, match="above 0 and below 1"):
            check_number("share", wrong, above=0, below=1)
    check_number("share", 0.5, above=0, below=1)


def test_a_number_without_bounds_is_finite_all_the_same() -> None:
    check_number("shift", -1e300)
    with pytest.raises(InputError, match="a number that is finite"):
        check_number("shift", math.inf)


def test_none_is_a_value_where_it_may_be() -> None:
    check_number("share", None, least=0, optional=True)
    with pytest.raises(InputError, match="from 0, or None"):
        check_number("share", -1.0, least=0, optional=True)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None])
def test_a_count_is_a_whole_number(value: Any) -> None:
    with pytest.raises(InputError, match="steps to be a whole number, 1 or more"):
        check_count("steps", value)
    check_count("steps", 1)
    check_count("steps", 0, least=0)
