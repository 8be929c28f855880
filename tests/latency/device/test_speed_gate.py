"""The engine behind the speed gate, on machines that change their speed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from latency.device.clock import now_text
from latency.device.engine import Instruments, Outcome, run_rounds
from latency.device.host import current_host, device_state
from latency.device.journal import End, read_journal
from latency.device.plan import DevicePlan
from latency.device.statistics import Quantity, kept_runs, weighted_quantile
from latency.device.watch import Watch
from tests.support.fake_machine import PROBE_US, FakeMachine, Slowness, two_speeds

MODELS_MS = {"small": 0.3, "large": 1.1}
# A kept run differs by its jitter, and by what a change of speed within it does.
CLOSE = 0.01


def timed(machine: FakeMachine, watch: Watch, journal: Path | None = None, **plan: int) -> Outcome:
    return measured(machine, Instruments(machine.clock, watch=watch), journal, **plan)


def measured(
    machine: FakeMachine, instruments: Instruments, journal: Path | None, **plan: int
) -> Outcome:
    runners = {key: machine.model(ms) for key, ms in MODELS_MS.items()}
    return run_rounds(
        runners,
        {key: key for key in runners},
        [Quantity((key,), (1.0,)) for key in runners],
        DevicePlan(**plan),  # type: ignore[arg-type]
        instruments,
        (str(journal), "session") if journal else None,
    )


def latency_ms(outcome: Outcome, watch: Watch, key: str, quantile: float = 0.25) -> float:
    runs = kept_runs(outcome.visits[key], watch.limit_us)
    return weighted_quantile([runs], [1.0], quantile)


def judged(machine: FakeMachine, best_us: float | None) -> tuple[Outcome, Watch]:
    watch = machine.watch(best_us, budget_seconds=120.0)
    return timed(machine, watch), watch


@pytest.mark.parametrize("best_us", [None, PROBE_US])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_a_busy_machine_gives_the_milliseconds_of_a_quiet_one(
    share: float, best_us: float | None
) -> None:
    outcome, watch = judged(FakeMachine(two_speeds(share)), best_us)
    assert outcome.certain == (True, True)
    for key, ms in MODELS_MS.items():
        assert latency_ms(outcome, watch, key) == pytest.approx(ms, rel=CLOSE)


def test_rounds_without_waiting_show_the_machine_as_it_is() -> None:
    machine = FakeMachine(two_speeds(0.3))
    # Long enough for a dozen changes of speed.
    outcome = timed(machine, machine.watch(PROBE_US), min_rounds=300, max_rounds=300)
    plain = [run for v in outcome.visits["large"] if v.plain for run in v.runs_ms]
    waited = [run for v in outcome.visits["large"] if not v.plain for run in v.runs_ms]
    # 70 % of the time are slow. Pauses forget most of what the waiting rounds have chosen.
    assert np.mean(np.asarray(plain) > 1.2 * MODELS_MS["large"]) > 0.4
    assert np.mean(np.asarray(waited) > 1.2 * MODELS_MS["large"]) < 0.3


def slow_for(rounds: int) -> tuple[FakeMachine, list[int]]:
    """A machine that is 1.3 times as slow until a model has been visited so many times."""
    runs: list[int] = [0]
    per_round = len(MODELS_MS) * (1 + 3)
    machine = FakeMachine(lambda _s: 1.3 if runs[0] < rounds * per_round else 1.0)
    return machine, runs


@pytest.mark.parametrize("best_us", [None, PROBE_US])
def test_a_slow_spell_over_the_least_rounds_does_not_end_a_session(best_us: float | None) -> None:
    machine, runs = slow_for(rounds=12)
    take = machine.model

    def counted(ms: float) -> object:
        run = take(ms)

        def once() -> None:
            runs[0] += 1
            run()

        return once

    machine.model = counted  # type: ignore[method-assign, assignment]
    # Without any time for waiting, so that the spell is as long as it says.
    watch = machine.watch(best_us, budget_seconds=0.0 if best_us else 30.0)
    outcome = timed(machine, watch, max_rounds=60)
    assert outcome.rounds > 12
    assert outcome.certain == (True, True)
    for key, ms in MODELS_MS.items():
        assert latency_ms(outcome, watch, key) == pytest.approx(ms, rel=CLOSE)


def test_a_session_that_goes_on_in_a_slower_state_keeps_its_milliseconds(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    quiet = FakeMachine(lambda _s: 1.0)
    timed(quiet, quiet.watch(), journal, min_rounds=4, max_rounds=4)
    slower = FakeMachine(lambda _s: 1.08)
    watch = slower.watch(budget_seconds=2.0)
    outcome = timed(slower, watch, journal, min_rounds=12, max_rounds=24)
    # Twelve visits at full speed were asked for, and only four of them are.
    assert outcome.rounds == 24 and outcome.certain == (False, False)
    for key, ms in MODELS_MS.items():
        kept = kept_runs(outcome.visits[key], watch.limit_us)
        assert [bool(runs) for runs in kept] == [True] * 4 + [False] * 20
        assert latency_ms(outcome, watch, key) == pytest.approx(ms, rel=CLOSE)


def whole(slowness: float, journal: Path) -> tuple[Outcome, FakeMachine]:
    """A session of six rounds that ends, on a machine of one speed."""
    machine = FakeMachine(lambda _s: slowness)
    watch = machine.watch(budget_seconds=1.0)
    end = partial(ended, watch)
    instruments = Instruments(machine.clock, watch=watch, end=end)
    return measured(machine, instruments, journal, min_rounds=6, max_rounds=6), machine


def ended(watch: Watch) -> End:
    host = current_host()
    return End(host, now_text(), now_text(), device_state(), watch.report())


def test_a_session_that_ended_is_judged_by_its_end_and_looks_at_no_clock_again(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "journal"
    expected, _ = whole(1.3, journal)
    assert expected.end is not None and expected.certain == (True, True)
    kept = journal.read_bytes()
    # By the limit of the machine as it is now, no run would count.
    again, machine = whole(1.0, journal)
    assert again == expected
    assert machine.seconds == 0.0 and journal.read_bytes() == kept


def test_a_session_that_was_broken_off_goes_on_by_all_that_it_has_seen(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    whole(1.0, journal)
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:3]))
    resumed, _ = whole(1.3, journal)
    assert resumed.end is not None and resumed.rounds == 6
    assert resumed.end.speed.full_speed_us == pytest.approx(PROBE_US, rel=CLOSE)
    for key in MODELS_MS:
        runs = kept_runs(resumed.visits[key], resumed.end.speed.limit_us)
        assert [bool(of_visit) for of_visit in runs] == [True] * 2 + [False] * 4


def test_a_journal_of_the_version_before_goes_on_and_then_ends(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    expected, _ = whole(1.0, journal)
    _, *rounds, _ = journal.read_text().splitlines(keepends=True)
    older = '{"identity": "session"}\n' + "".join(rounds)
    journal.write_text(older)
    assert read_journal(str(journal), "session").end is None
    found, _ = whole(1.0, journal)
    assert found.visits == expected.visits and found.end is not None
    assert journal.read_text().startswith(older)
    assert whole(1.3, journal)[0] == found


def test_a_machine_that_never_is_at_full_speed_ends_with_its_budget() -> None:
    def never(seconds: float) -> float:
        return 1.3 + 0.4 * ((seconds * 7) % 1.0)

    machine = FakeMachine(never)
    watch = machine.watch(PROBE_US, budget_seconds=5.0)
    outcome = timed(machine, watch, max_rounds=14)
    assert outcome.certain == (False, False) and outcome.rounds == 14
    assert watch.waited_seconds == pytest.approx(5.0, abs=0.05)
    assert not any(any(kept_runs(v, watch.limit_us)) for v in outcome.visits.values())
    assert all(len(visit.runs_ms) >= 3 for v in outcome.visits.values() for visit in v)


def test_a_drifting_clock_below_the_gate_moves_nothing() -> None:
    def drift(seconds: float) -> Slowness | float:
        return 1.0 + 0.01 * np.sin(seconds)

    machine = FakeMachine(drift)  # type: ignore[arg-type]
    watch = machine.watch(PROBE_US)
    outcome = timed(machine, watch)
    for key, ms in MODELS_MS.items():
        assert latency_ms(outcome, watch, key) == pytest.approx(ms, rel=2 * CLOSE)
