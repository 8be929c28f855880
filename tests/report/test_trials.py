"""What is shown of a search by trials while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nas.report.trials import value_text
from nas.report.trials_progress import TrialsProgress, expected_epochs
from nas.tuning.asha import Asha
from nas.tuning.full_length import FullLength
from nas.tuning.hyperband import Hyperband
from nas.tuning.ladder import Ladder
from nas.tuning.legs import Leg, Plan, SearchState
from nas.tuning.objectives import parse_objectives
from nas.tuning.scheduler import Scheduler


class Shown:
    """A bar that keeps what it was told."""

    def __init__(self) -> None:
        self.done = self.total = 0.0
        self.note = ""

    def update(self, done: float, total: float, **fields: Any) -> None:
        self.done, self.total, self.note = done, total, fields["note"]


def test_progress_tells_the_best_of_the_longest_trainings_and_what_failed() -> None:
    state = SearchState(parse_objectives("top1,params"))
    shown = Shown()
    scheduler = Asha(Ladder(4, 2, 2), 4)
    progress: Any = TrialsProgress(scheduler, shown)  # type: ignore[arg-type]

    def leg(number: int, trial: int, rung: int, values: tuple[float, float] | None) -> None:
        begun = Leg(number, Plan(trial, rung, 2.0 * (rung + 1), 0, {"x": trial}, {}, refused=rung))
        state.begin(begun)
        progress.show(state)
        if values is None:
            state.end(replace(begun, state="failed", values=(float("nan"),) * 2))
        else:
            state.end(replace(begun, state="done", values=values))
        progress.show(state)

    leg(0, 0, 0, (0.75, 1000.0))
    assert shown.note == (
        "1 trial, 0 running, best top1 75.00%, params 1,000 after 2 epochs, 0 min left"
    )
    leg(1, 1, 0, None)
    leg(2, 2, 0, (0.5, 10.0))
    leg(3, 2, 1, (0.625, 10.0))
    assert "1 failed" in shown.note
    assert "best top1 62.50%, params 10 after 4 epochs" in shown.note
    assert (shown.done, shown.total) == (2 + 2 + 2 + 2, 4 * 2 + 2 * 2)


@pytest.mark.parametrize(
    ("scheduler", "epochs"),
    [
        (FullLength(8, 5), 40),
        (Asha(Ladder(8, 2, 3), 8), 8 * 2 + 4 * 2 + 2 * 4),
        # Brackets of 4, 3 and 3 trials from 2, 4 and 8 epochs on.
        (Hyperband(Ladder(8, 2, 3), 10), 4 * 2 + 2 * 2 + 1 * 4 + 3 * 4 + 1 * 4 + 3 * 8),
    ],
)
def test_expected_epochs_are_those_of_a_search_in_which_nothing_fails(
    scheduler: Scheduler, epochs: float
) -> None:
    assert expected_epochs(scheduler) == epochs


def test_values_are_shown_with_their_unit() -> None:
    assert value_text("top1", 0.5) == "50.00%"
    assert value_text("macs", 1234567.0) == "1,234,567"
    assert value_text("ms", 0.12345) == "0.1235"
