"""The timing engine on a fake clock: exact and instant."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from latency.device.clock import Clock
from latency.device.engine import Instruments, Outcome, run_rounds
from latency.device.meter import Progress
from latency.device.plan import DevicePlan
from latency.device.statistics import Quantity, Visit
from tests.support.fake_clock import FakeClock, plan


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
    return run_rounds(runners, groups, quantities, plan, Instruments(clock), progress=progress)


def test_samples_are_exact_and_the_first_run_of_a_visit_is_dropped() -> None:
    clock = FakeClock()
    outcome = timed({"a": clock.runner([9.0, 1.0, 2.0, 3.0])}, plan(), clock=clock)
    assert outcome.visits["a"] == (Visit((1.0, 2.0, 3.0)),) * 2
    assert outcome.rounds == 2
    assert outcome.certain == (True,)
    assert outcome.seconds == pytest.approx(2 * 15e-3)


def test_an_unstable_function_goes_on_to_the_last_round_and_a_stable_one_stops() -> None:
    clock = FakeClock()
    runners = {"calm": clock.runner([1.0]), "wild": clock.runner([1, 1, 1, 1, 2, 2, 2, 2])}
    outcome = timed(runners, plan(max_rounds=9), clock=clock)
    assert len(outcome.visits["calm"]) == 2
    assert len(outcome.visits["wild"]) == 9
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
    outcome = run_rounds(
        runners, {"wild": "w", "net": "n"}, quantities, floored, Instruments(clock)
    )
    assert (outcome.rounds, outcome.certain) == (2, (True, True))


def test_a_difference_keeps_both_of_its_models_running() -> None:
    clock = FakeClock()
    runners = {"long": clock.runner([5, 5, 5, 5, 9, 9, 9, 9]), "short": clock.runner([2.0])}
    quantities = [Quantity(("long", "short"), (1.0, -1.0))]
    outcome = timed(runners, plan(), quantities=quantities, clock=clock)
    assert {key: len(visits) for key, visits in outcome.visits.items()} == {
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
