"""Full speed is learned from probes, waited for, and reported."""

from __future__ import annotations

import pytest

from latency.device.host import DeviceState
from latency.device.speed import BUSY, FULL_SPEED, GATE, SLOWER
from latency.device.watch import ENOUGH_PROBES, LONGEST_WAIT_S, Watch
from tests.support.fake_machine import JITTER, PROBE_US, FakeMachine, Slowness, two_speeds

# Half a percent of the probes is faster than the learned full speed, and all have upward jitter.
CLOSE = 2 * JITTER


def looked(slowness: Slowness, best_us: float | None = None, **options: float) -> Watch:
    watch = FakeMachine(slowness).watch(best_us, **options)
    watch.look()
    return watch


def state(frequency_mhz: float | None = None) -> DeviceState:
    return DeviceState("2026-05-04T10:20:30+00:00", 0.1, frequency_mhz, None, None)


def test_a_look_finds_full_speed_on_a_busy_machine() -> None:
    watch = looked(two_speeds(0.05))
    assert watch.full_speed_us == pytest.approx(PROBE_US, rel=CLOSE)
    found = watch.report()
    assert (found.state, found.probe) == (BUSY, "fake probe")
    assert found.share_full_speed == pytest.approx(0.05, abs=0.04)  # 2 s hold 8 to 40 spells
    assert found.reason.startswith("at full speed in ")
    assert found.limit_us == pytest.approx(GATE * watch.full_speed_us, abs=1e-3)


def test_a_quiet_machine_is_at_full_speed_and_its_past_makes_the_look_short() -> None:
    machine = FakeMachine(lambda _s: 1.0)
    first = machine.watch()
    first.look()
    alone_s = machine.seconds
    first.gauge.sleep(1.0)
    start_s = machine.seconds
    second = machine.watch(best_us=PROBE_US)
    second.look()
    assert machine.seconds - start_s < alone_s / 4
    found = second.report()
    assert (found.state, found.reason, found.share_full_speed) == (FULL_SPEED, "", 1.0)


def test_without_a_budget_a_look_is_one_burst() -> None:
    watch = looked(lambda _s: 1.0, budget_seconds=0.0)
    assert watch.gauge.clock() < 1e-3
    assert not watch.may_wait and watch.wait(watch.limit_us) is None


def test_a_machine_that_is_held_up_all_the_time_is_judged_by_its_past() -> None:
    # Others leave it 1.3 to 1.7 times as slow, never full speed.
    machine = FakeMachine(lambda s: 1.3 + 0.4 * ((s * 7) % 1.0))
    watch = machine.watch(best_us=PROBE_US, cores=1.0)
    watch.look()
    assert watch.full_speed_us == PROBE_US
    found = watch.report()
    assert found.state == BUSY and found.share_full_speed == 0.0
    assert "never faster than 1.3" in found.reason and "used 1.0 cores" in found.reason


def test_a_machine_that_became_slower_is_judged_by_itself_and_says_so() -> None:
    watch = looked(lambda _s: 1.12, best_us=PROBE_US, cores=0.1, mhz=3000.0)
    assert watch.full_speed_us == pytest.approx(1.12 * PROBE_US, rel=CLOSE)
    found = watch.report()
    assert found.state == SLOWER
    assert "1.12 times its best of 2026-05-04T10:20:30+00:00" in found.reason


def test_a_slower_machine_with_others_at_work_is_a_busy_one_unless_its_frequency_fell() -> None:
    busy = looked(lambda _s: 1.45, best_us=PROBE_US, cores=1.0, mhz=3000.0)
    assert busy.full_speed_us == PROBE_US
    assert busy.report().state == BUSY
    throttled = looked(lambda _s: 1.15, best_us=PROBE_US, cores=1.0, mhz=2600.0)
    assert throttled.full_speed_us == pytest.approx(1.15 * PROBE_US, rel=CLOSE)
    found = throttled.report()
    assert found.state == SLOWER
    assert "at most 2600 MHz, 3000 MHz then; other programs used 1.0 cores" in found.reason


def test_waiting_ends_at_full_speed_or_with_its_time() -> None:
    machine = FakeMachine(lambda s: 1.5 if s < 3.2 else 1.0)
    watch = machine.watch(best_us=PROBE_US, budget_seconds=10.0, cores=1.0)
    watch.look()
    machine.seconds = 2.5
    found = watch.wait(watch.limit_us)
    assert found == pytest.approx(PROBE_US, rel=5 * JITTER)  # one probe, so its whole jitter
    assert machine.seconds == pytest.approx(3.2, abs=0.01)
    assert watch.waited_seconds == pytest.approx(0.7, abs=0.01)
    always_slow = FakeMachine(lambda _s: 1.5)
    watch = always_slow.watch(best_us=PROBE_US, budget_seconds=1.5 * LONGEST_WAIT_S, cores=1.0)
    assert [watch.wait(watch.limit_us) for _ in range(3)] == [None] * 3
    assert watch.waited_seconds == pytest.approx(1.5 * LONGEST_WAIT_S, abs=0.01)


def test_the_best_is_kept_when_it_is_better_and_many_probes_tell() -> None:
    few = looked(lambda _s: 1.0, budget_seconds=0.0)
    assert few.best_now("now", state()) is None
    many = looked(lambda _s: 1.0)
    best = many.best_now("now", state(2900.0))
    assert best is not None and best.probe_us == pytest.approx(PROBE_US, rel=CLOSE)
    assert (best.probe, best.at, best.frequency_mhz) == ("fake probe", "now", 2900.0)
    worse = looked(lambda _s: 1.01, best_us=PROBE_US)
    for _ in range(ENOUGH_PROBES):
        worse.read_us()
    assert worse.best_now("now", state()) is None


def test_full_speed_of_earlier_parts_of_a_session_is_remembered() -> None:
    watch = looked(lambda _s: 1.08)
    watch.learn(PROBE_US)
    assert watch.full_speed_us == PROBE_US
