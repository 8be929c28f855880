"""Goals as a user writes them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from latency.device import strict_json
from nas.errors import InputError
from nas.selection.goals import Goal, ResolvedTarget, parse_goals


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
