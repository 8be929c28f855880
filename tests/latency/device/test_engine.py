"""The timing engine on a fake clock: exact and instant."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from latency.device.clock import Clock
from latency.device.engine import Outcome, Progress, run_rounds
from latency.device.journal import read_journal
from latency.device.plan import DevicePlan
from latency.device.statistics import Quantity


class FakeClock:
    """Seconds that pass only when something runs."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def runner(self, durations_ms: list[float]) -> Callable[[], None]:
        """Takes these durations in turn, again and again."""
        state = {"next": 0}

        def run() -> None:
            self.seconds += durations_ms[state["next"] % len(durations_ms)] / 1e3
            state["next"] += 1

        return run


def plan(**changes: object) -> DevicePlan:
    defaults: dict[str, object] = {"min_rounds": 2, "max_rounds": 5}
    return DevicePlan(**{**defaults, **changes})  # type: ignore[arg-type]


def timed(
    runners: Mapping[str, Callable[[], None]],
    plan: DevicePlan,
    *,
    clock: Clock,
    groups: Mapping[str, str] | None = None,
    quantities: list[Quantity] | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Each function is a group, and what has to become certain, unless others are named."""
    groups = groups or {key: key for key in runners}
    quantities = quantities or [Quantity((key,), (1.0,)) for key in runners]
    return run_rounds(runners, groups, quantities, plan, clock, progress=progress)


def test_samples_are_exact_and_the_first_run_of_a_visit_is_dropped() -> None:
    clock = FakeClock()
    outcome = timed({"a": clock.runner([9.0, 1.0, 2.0, 3.0])}, plan(), clock=clock)
    assert outcome.samples_ms["a"] == [[1.0, 2.0, 3.0]] * 2
    assert outcome.rounds == 2
    assert outcome.certain == (True,)
    assert outcome.seconds == pytest.approx(2 * 15e-3)


def test_an_unstable_function_goes_on_to_the_last_round_and_a_stable_one_stops() -> None:
    clock = FakeClock()
    runners = {"calm": clock.runner([1.0]), "wild": clock.runner([1, 1, 1, 1, 2, 2, 2, 2])}
    outcome = timed(runners, plan(max_rounds=9), clock=clock)
    assert len(outcome.samples_ms["calm"]) == 2
    assert len(outcome.samples_ms["wild"]) == 9
    assert outcome.certain == (True, False)


def test_an_absolute_floor_ends_what_a_relative_tolerance_does_not() -> None:
    clock = FakeClock()
    runners = {"wild": clock.runner([1, 1, 1, 1, 2, 2, 2, 2])}
    outcome = timed(runners, plan(max_rounds=9, absolute_floor_ms=1.0), clock=clock)
    assert (outcome.rounds, outcome.certain) == (2, (True,))


def test_the_floor_follows_the_median_network() -> None:
    clock = FakeClock()
    runners = {"wild": clock.runner([1, 1, 1, 1, 2, 2, 2, 2]), "net": clock.runner([1000.0])}
    floored = plan(max_rounds=9, floor_keys=("net",), floor_share=0.001)
    quantities = [Quantity((key,), (1.0,)) for key in runners]
    outcome = run_rounds(runners, {"wild": "w", "net": "n"}, quantities, floored, clock=clock)
    assert (outcome.rounds, outcome.certain) == (2, (True, True))


def test_a_difference_keeps_both_of_its_models_running() -> None:
    clock = FakeClock()
    runners = {"long": clock.runner([5, 5, 5, 5, 9, 9, 9, 9]), "short": clock.runner([2.0])}
    quantities = [Quantity(("long", "short"), (1.0, -1.0))]
    outcome = timed(runners, plan(), quantities=quantities, clock=clock)
    assert {key: len(visits) for key, visits in outcome.samples_ms.items()} == {
        "long": 5,
        "short": 5,
    }


def test_a_group_is_timed_in_one_visit_and_groups_come_in_random_order() -> None:
    clock = FakeClock()
    order: list[str] = []

    def recorded(key: str) -> Callable[[], None]:
        step = clock.runner([1.0])

        def run() -> None:
            order.append(key)
            step()

        return run

    runners = {key: recorded(key) for key in ("a1", "b1", "a2", "c1", "b2")}
    timed(
        runners,
        plan(min_rounds=8, max_rounds=8, runs_per_visit=1, drop_per_visit=0),
        groups={key: key[0] for key in runners},
        clock=clock,
    )
    rounds = ["".join(key[0] for key in order[i : i + 5]) for i in range(0, 40, 5)]
    assert all(
        sorted(text.replace("aa", "A").replace("bb", "B")) == ["A", "B", "c"] for text in rounds
    )
    assert len(set(rounds)) > 1


def test_time_ends_a_session_after_the_round_in_which_it_runs_out() -> None:
    clock = FakeClock()
    runners = {"wild": clock.runner([100, 100, 100, 100, 200, 200, 200, 200])}
    outcome = timed(runners, plan(max_rounds=9, max_seconds=1.0), clock=clock)
    # Rounds of 0.4, 0.8, 0.4 s: the second one passes one second.
    assert (outcome.rounds, outcome.certain) == (2, (False,))


def test_progress_counts_visits_and_estimates_the_rest() -> None:
    clock, calls = FakeClock(), []
    timed(
        {"a": clock.runner([1.0])},
        plan(),
        clock=clock,
        progress=lambda done, total, left: calls.append((done, total, round(left, 6))),
    )
    # Each visit takes 4 ms; five rounds at most.
    assert calls == [(1, 5, 0.016), (2, 5, 0.012)]


@pytest.mark.parametrize("step_ms", [0.0, -3.0, float("nan")])
def test_a_clock_that_does_not_advance_is_an_error(step_ms: float) -> None:
    clock = FakeClock()
    with pytest.raises(ValueError, match="Expected every timed run to take more than 0 ms") as info:
        timed({"net": clock.runner([step_ms])}, plan(), clock=clock)
    assert f"Received: {step_ms:.1f} ms for 'net'".replace("nan.0", "nan") in str(info.value)
    assert "Fix: use a monotonic clock" in str(info.value)


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
            clock=self.clock,
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
        stream.write('{"round": 3, "samples_ms": {"a": [1.0, ')

    # Three rounds of three models with four runs each lie behind it.
    resumed = Recorder(skip_calls=36)
    outcome = resumed.measure(journal)
    assert outcome.samples_ms == expected.samples_ms
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
        return run_rounds(runners, groups, quantities, small, clock=clock, journal=journal)

    go(3)
    outcome = go(6)
    assert [len(outcome.samples_ms[key]) for key in ("calm", "wild")] == [2, 6]


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
    assert lines[0] == {"identity": "session"} and len(lines) == 7
