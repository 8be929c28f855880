"""What `benchmarks/tuning_recheck.py` finds in a search, and what it does not miss."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.tuning_recheck import StoredLeg, faults, other_decisions
from nas.tuning.asha import Asha
from nas.tuning.ladder import Ladder
from nas.tuning.objectives import parse_objectives
from nas.tuning.scores import Job, RungValue
from nas.tuning.table import RungTable

OBJECTIVES = parse_objectives("top1,ms")
CONFIG: Any = SimpleNamespace(
    method="asha",
    parsed_objectives=OBJECTIVES,
    scheduler=Asha(Ladder(4, 2, 3), 8),
    max_trials=8,
    rungs=3,
    reduction=2,
)


@pytest.fixture(scope="module")
def legs() -> list[StoredLeg]:
    """A search by one worker, whose moments are the numbers of its legs."""
    table = RungTable(OBJECTIVES)
    found: list[StoredLeg] = []
    while isinstance(job := CONFIG.scheduler.next_job(table, ()), Job):
        number, began = len(found), sum(leg.own["rung"] == 0 for leg in found)
        trial = began if job.trial is None else job.trial
        value = RungValue(trial, job.rung, ((trial * 5 % 8) / 8 + job.rung, trial * 3 % 8 + 1.0))
        table.add(value)
        own: dict[str, Any] = {"trial": trial, "rung": job.rung, "bracket": 0, "attempts": []}
        own["curve"] = [{"step": job.rung}]
        found.append(StoredLeg(number, f"{number:03d}.0", f"{number:03d}.5", value, own))
    return found


def test_search_that_lost_nothing_has_no_faults(legs: list[StoredLeg]) -> None:
    assert len(legs) == 8 + 4 + 2
    assert not list(other_decisions(CONFIG, legs)) and not list(faults(CONFIG, legs))


def test_another_promotion_is_found(legs: list[StoredLeg]) -> None:
    promoted = next(leg for leg in legs if leg.own["rung"] == 1)
    others = {leg.own["trial"] for leg in legs[: promoted.number]} - {promoted.own["trial"]}
    own = {**promoted.own, "trial": min(others)}
    other = replace(promoted, own=own)
    changed = [*legs[: other.number], other, *legs[other.number + 1 :]]
    assert any(f"leg {other.number}:" in found for found in other_decisions(CONFIG, changed))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"curve": [{"step": 0}, {"step": 0}]}, "has rows at steps"),
        ({"attempts": ["died"]}, "failed by died"),
        ({"trial": 0}, "trained 2 times to rung 0"),
    ],
)
def test_what_is_lost_or_there_twice_is_found(
    legs: list[StoredLeg], change: dict[str, Any], found: str
) -> None:
    last = max(leg.number for leg in legs if leg.own["rung"] == 0)
    changed = [replace(g, own={**g.own, **change}) if g.number == last else g for g in legs]
    assert any(found in fault for fault in faults(CONFIG, changed))
