"""Journals: rounds that survive a kill."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from latency.device.engine import Instruments, Outcome, run_rounds
from latency.device.journal import read_journal
from latency.device.plan import DevicePlan
from latency.device.statistics import Quantity
from tests.support.fake_clock import FakeClock, plan


class Recorder:
    """Two noisy functions whose durations depend on the number of calls alone."""

    def __init__(self, skip_calls: int = 0) -> None:
        self.clock = FakeClock()
        self.order: list[str] = []
        self.calls = skip_calls

    def runners(self) -> dict[str, Callable[[], None]]:
        return {key: self._runner(key) for key in ("a", "b", "c")}

    def _runner(self, key: str) -> Callable[[], None]:
        def run() -> None:
            self.order.append(key)
            self.calls += 1
            self.clock.seconds += (1 + self.calls * 37 % 11) / 1e3

        return run

    def measure(self, journal: Path, stop_in_round: int | None = None) -> Outcome:
        def progress(done: int, total: int, seconds_left: float) -> None:
            if stop_in_round is not None and done == 3 * stop_in_round + 2:
                raise KeyboardInterrupt

        runners = self.runners()
        return run_rounds(
            runners,
            {key: key for key in runners},
            [Quantity((key,), (1.0,)) for key in runners],
            DevicePlan(min_rounds=6, max_rounds=6),
            Instruments(self.clock),
            journal=(str(journal), "session"),
            progress=progress,
        )


def test_a_torn_journal_continues_as_if_nothing_had_happened(tmp_path: Path) -> None:
    undisturbed = Recorder()
    expected = undisturbed.measure(tmp_path / "whole")

    journal = tmp_path / "torn"
    with pytest.raises(KeyboardInterrupt):
        Recorder().measure(journal, stop_in_round=3)
    assert len(journal.read_text().splitlines()) == 1 + 3
    with journal.open("a") as stream:
        stream.write('{"round": 3, "visits": {"a": {"runs_ms": [1.0, ')

    # Three rounds of three models with four runs each lie behind it.
    resumed = Recorder(skip_calls=36)
    outcome = resumed.measure(journal)
    assert outcome.visits == expected.visits
    assert outcome.seconds == pytest.approx(expected.seconds)
    assert resumed.order == undisturbed.order[36:]
    assert len(journal.read_text().splitlines()) == 1 + 6


def test_a_finished_journal_times_nothing_again(tmp_path: Path) -> None:
    expected = Recorder().measure(tmp_path / "journal")
    again = Recorder()
    assert again.measure(tmp_path / "journal") == expected
    assert again.order == []


def test_a_group_that_had_stopped_stays_stopped_after_a_resume(tmp_path: Path) -> None:
    clock, journal = FakeClock(), (str(tmp_path / "journal"), "session")
    quantities = [Quantity(("calm",), (1.0,)), Quantity(("wild",), (1.0,))]

    def go(max_rounds: int) -> Outcome:
        wild = clock.runner([1, 1, 1, 1, 2, 2, 2, 2])
        runners = {"calm": clock.runner([1.0]), "wild": wild}
        groups = {key: key for key in runners}
        small = plan(max_rounds=max_rounds)
        return run_rounds(runners, groups, quantities, small, Instruments(clock), journal)

    go(3)
    outcome = go(6)
    assert [len(outcome.visits[key]) for key in ("calm", "wild")] == [2, 6]


def test_another_sessions_journal_is_refused_and_kept(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    Recorder().measure(journal)
    before = journal.read_bytes()
    with pytest.raises(ValueError, match="Expected a journal of the session other") as info:
        read_journal(str(journal), "other")
    assert "Received:" in str(info.value) and f"Fix: delete {journal}" in str(info.value)
    assert journal.read_bytes() == before


@pytest.mark.parametrize("text", ["no json\n", "[]\n", '{"identity": "session"}\n{"round": 4}\n'])
def test_a_broken_journal_is_refused(tmp_path: Path, text: str) -> None:
    journal = tmp_path / "journal"
    journal.write_text(text)
    with pytest.raises(ValueError, match="Expected a journal (?s:.*)\nFix: delete"):
        read_journal(str(journal), "session")


def test_a_journal_torn_in_its_first_line_starts_over(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_text('{"ident')
    Recorder().measure(journal)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert lines[0] == {"schema_version": 2, "identity": "session"} and len(lines) == 7


def test_a_journal_of_a_later_version_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_text('{"schema_version": 3, "identity": "session"}\n')
    with pytest.raises(ValueError, match="schema version 2 (?s:.*)\nFix: delete"):
        read_journal(str(journal), "session")
