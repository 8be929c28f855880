"""Goals as a user writes them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from latency.device import strict_json
from nas.errors import InputError
from nas.selection.goals import Goal, ResolvedTarget, check_different, parse_goals


def goals(penalties: str | None, targets: str | None) -> tuple[Goal, ...]:
    return parse_goals({"lambda": penalties, "target_ms": targets})


def test_single_values() -> None:
    assert goals("0.1", None) == (Goal(penalty=0.1),)
    assert goals("0", None) == (Goal(penalty=0.0),)
    assert goals(None, "1.2") == (Goal(target=1.2),)
    assert goals(None, "25%") == (Goal(percent=25.0),)


def test_lists_keep_their_order() -> None:
    assert [g.penalty for g in goals("0.1, 0,0.02", None)] == [0.1, 0.0, 0.02]
    assert goals(None, "25%,0.8") == (Goal(percent=25.0), Goal(target=0.8))


def test_labels_name_folders() -> None:
    found = goals(None, "25%,0.8,12.5%")
    assert [goal.label for goal in found] == ["25percent", "0.8ms", "12.5percent"]
    assert goals("1e-3", None)[0].label == "lambda0.001"


def test_counts_are_goals_with_their_quantity_in_the_label() -> None:
    found = parse_goals({"target_bops": "3.5e7, 25%"})
    assert found == (Goal(target=3.5e7, quantity="bops"), Goal(percent=25.0, quantity="bops"))
    assert [goal.label for goal in found] == ["3.5e7bops", "25percent_bops"]
    (bits,) = parse_goals({"target_weight_bits": "1542848", "lambda": None})
    assert (bits.label, bits.unit.text) == ("1542848weight_bits", "weight bits")
    priced = parse_goals({"lambda": "0,0.1"}, "weight_bits")
    assert [goal.label for goal in priced] == ["lambda0_weight_bits", "lambda0.1_weight_bits"]
    assert parse_goals({"lambda": "0.1"}, "ms") == (Goal(penalty=0.1),)


@pytest.mark.parametrize(
    ("given", "quantity", "said"),
    [
        ({"target_bops": "0"}, None, "--target_bops to be a number above 0"),
        ({"target_bops": "1.5"}, None, "--target_bops as whole BOPs"),
        ({"target_weight_bits": "101%"}, None, "--target_weight_bits from 0% to 100%"),
        ({"target_bops": "1e6,1000000"}, None, "1e6bops twice"),
        ({"target_bops": "1e6", "target_ms": "1"}, None, "both: --target_bops 1e6 and --target_ms"),
        ({"lambda": "1", "target_ms": "1", "target_bops": "1"}, None, "several: --lambda 1"),
        ({"target_bops": "1e6"}, "bops", "leave --quantity out"),
        ({"lambda": "0.1"}, "bits", "quantity to be one of ms, bops, weight_bits"),
    ],
)
def test_bad_counts(given: dict[str, str], quantity: str | None, said: str) -> None:
    with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix") as caught:
        parse_goals(given, quantity)
    assert said in str(caught.value)


def test_a_sweep_has_one_quantity() -> None:
    with pytest.raises(InputError, match="goals of one quantity"):
        check_different((Goal(target=1.0), Goal(target=1e6, quantity="bops")))


def test_percentages_span_the_range() -> None:
    assert Goal(percent=0.0).resolved(0.2, 1.2) == 0.2
    assert Goal(percent=100.0).resolved(0.2, 1.2) == pytest.approx(1.2)
    assert Goal(percent=25.0).resolved(0.2, 1.2) == pytest.approx(0.45)
    assert Goal(target=0.7).resolved(0.2, 1.2) == 0.7
    assert Goal(penalty=0.1).resolved(0.2, 1.2) is None


@pytest.mark.parametrize(
    ("penalties", "targets", "said"),
    [
        (None, None, "neither"),
        ("0.1", "1", "both: --lambda 0.1 and --target_ms 1"),
        ("-0.1", None, "--lambda to be a number at least 0"),
        ("nan", None, "--lambda to be a number"),
        ("much", None, "'much'"),
        ("0.1,", None, "''"),
        ("0.1,0.10", None, "lambda0.1 twice"),
        ("10%", None, "'10%'"),
        (None, "0", "--target_ms to be a number above 0"),
        (None, "inf", "--target_ms to be a number above 0"),
        (None, "101%", "0% to 100%"),
        (None, "-5%", "'-5'"),
        (None, "0.8,1.2,0.8", "0.8ms twice"),
        (None, "", "''"),
    ],
)
def test_bad_goals(penalties: str | None, targets: str | None, said: str) -> None:
    with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix") as caught:
        goals(penalties, targets)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"penalty": 0.1, "target": 1.0},
        {"penalty": -0.1},
        {"penalty": math.nan},
        {"target": 0.0},
        {"target": math.inf},
        {"percent": 100.5},
    ],
)
def test_a_goal_is_one_value_in_its_range(values: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix"):
        Goal(**values)


def test_a_resolved_target_reads_back_as_it_was_written(tmp_path: Path) -> None:
    target = ResolvedTarget.of(Goal(percent=25.0), 0.2, 1.2)
    path = tmp_path / "target.json"
    path.write_text(strict_json.dumps(target))
    assert strict_json.read(ResolvedTarget, path) == target
    assert target.target == pytest.approx(0.45)
    assert ResolvedTarget.of(Goal(penalty=0.1), 0.2, 1.2).target is None
