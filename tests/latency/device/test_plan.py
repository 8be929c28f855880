"""Plans that make no sense are refused."""

from __future__ import annotations

import pytest

from tests.support.fake_clock import plan


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"min_rounds": 0}, "Expected min_rounds to be 1 or more.\nReceived: 0.\nFix: "),
        ({"max_rounds": 1}, "Expected max_rounds to be at least min_rounds.\nReceived: 1."),
        ({"quantile": 1.5}, "Expected quantile to be from 0 to 1.\nReceived: 1.5."),
        ({"max_seconds": 0}, "Expected max_seconds to be above 0 or None.\nReceived: 0."),
        ({"runs_per_visit": 0}, "Expected runs_per_visit to be 1 or more.\nReceived: 0."),
    ],
)
def test_a_plan_refuses_what_makes_no_sense(changes: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError) as info:
        plan(**changes)
    assert text in str(info.value)
