"""Budgets: which side is kept, and by how much they are missed."""

from __future__ import annotations

import math

import pytest

from nas.errors import InputError
from nas.tuning.budgets import (
    Budget,
    check_budgets,
    known_before_training,
    parse_budget,
    violation,
)
from nas.tuning.objectives import Objective

BUDGETS = (parse_budget("ms<=0.5"), parse_budget(" top1 >= 0.8 "))


def test_a_budget_limits_the_worse_side() -> None:
    assert (Budget(Objective("ms"), 0.5), Budget(Objective("top1"), 0.8)) == BUDGETS
    assert [budget.text for budget in BUDGETS] == ["ms<=0.5", "top1>=0.8"]
    assert parse_budget("macs<=1e6").text == "macs<=1e+06"
    assert parse_budget("bytes<=1234567").text == "bytes<=1234567.0"
    assert parse_budget("tpr_at_fpr=0.01>=0.9").objective.parameter == 0.01


def test_the_violation_is_the_sum_of_the_shares_by_which_limits_are_missed() -> None:
    assert violation(BUDGETS, {"ms": 0.5, "top1": 0.8, "params": 9.0}) == 0
    assert violation(BUDGETS, {"ms": 0.4, "top1": 0.9}) == 0
    assert violation(BUDGETS, {"ms": 1.0, "top1": 0.9}) == 1
    assert violation(BUDGETS, {"ms": 1.0, "top1": 0.4}) == 1.5
    assert violation((), {"ms": 1.0}) == 0


def test_what_is_no_number_keeps_no_budget() -> None:
    assert math.isnan(violation(BUDGETS, {"ms": math.nan, "top1": 0.9}))
    assert violation(BUDGETS, {"ms": math.inf, "top1": 0.9}) == math.inf


def test_budgets_of_what_is_known_before_training_are_told_apart() -> None:
    assert known_before_training(BUDGETS) == BUDGETS[:1]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ms>=0.5", "that holds back the worse ones, <=.*'ms>=0.5'.*write ms<=0.5"),
        ("top1<=0.5", "that holds back the worse ones, >=.*write top1>=0.5"),
        ("ms", "NAME<=LIMIT.*'ms'.*write it as ms<=0.5"),
        ("ms<0.5", "NAME<=LIMIT.*'ms<0.5'"),
        ("ms<=fast", "a number behind <=.*'fast'"),
        ("ms<=0", "the budget of ms to be a number above 0.*0.0"),
        ("ms<=nan", "the budget of ms to be a number above 0.*nan"),
        ("mss<=1", "objective to be one of.*'mss'.*write 'ms'"),
    ],
)
def test_what_is_no_budget_is_refused(text: str, parts: str) -> None:
    with pytest.raises(InputError, match=f"(?s)Expected .*{parts}"):
        parse_budget(text)


def test_two_budgets_of_one_quantity_and_a_missing_value_are_refused() -> None:
    check_budgets(BUDGETS)
    check_budgets(())
    with pytest.raises(InputError, match="(?s)one budget of each quantity.*ms<=.*, ms<=0.7"):
        check_budgets([*BUDGETS, parse_budget("ms<=0.7")])
    with pytest.raises(InputError, match="(?s)a value of top1, which has a budget.*ms.*Fix"):
        violation(BUDGETS, {"ms": 1.0})


@pytest.mark.parametrize("text", ["top1>=2", "top5>=90", "auc>=1.01", "tpr_at_fpr=0.01>=2"])
def test_shares_above_one_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="1 at most"):
        parse_budget(text)
    assert parse_budget(text.rpartition("=")[0] + "=1").limit == 1.0
