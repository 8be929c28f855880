"""Ratios of models that were timed next to each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.speed import NOT_GATED, HostSpeed
from latency.device.statistics import Visit
from latency.errors import LatencyError
from latency.measurement import processes
from latency.measurement.compare import Ratio, compare_models, ratios_of
from latency.measurement.measure import Measurement, Model, Readings
from latency.measurement.processes import ProcessRule, timings_of
from latency.measurement.timing import Timing
from tests.support import changing_clock
from tests.support.changing_clock import Machine, processes_of

MODELS = [Model(key, b"", key) for key in ("first", "other")]
QUICK = ProcessRule(processes=5, most=9, precision=0.005, min_seconds=0)


def compared(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, other_ms: float, offset: float
) -> Ratio:
    run = processes_of(machine, {"first": 1.0, "other": other_ms}, offset)

    def fresh(models: Sequence[Model], settings: SessionSettings, plan: MeasurePlan) -> Readings:
        assert len({model.group for model in models}) == 1
        return run([model.key for model in models])

    monkeypatch.setattr(processes, "measure_fresh_process", fresh)
    _, ratios = compare_models(MODELS, SessionSettings(), MeasurePlan(), QUICK)
    return ratios["other"]


@pytest.mark.slow
@pytest.mark.parametrize("maker", ["two_speeds", "drifting"])
def test_nine_of_ten_comparisons_of_equals_see_no_difference(
    monkeypatch: pytest.MonkeyPatch, maker: str
) -> None:
    rng, trials, held = np.random.default_rng(3), 40, 0
    for _ in range(trials):
        machine = getattr(changing_clock, maker)(rng)
        found = compared(monkeypatch, machine, other_ms=1.0, offset=0.01)
        held += found.verdict == "no difference seen"
    # The intervals are 95 % ones: of 40 about 38 hold 1.
    assert held >= 0.9 * trials


@pytest.mark.parametrize(("other_ms", "verdict"), [(0.9, "faster"), (1.1, "slower")])
def test_a_difference_of_a_tenth_is_seen(
    monkeypatch: pytest.MonkeyPatch, other_ms: float, verdict: str
) -> None:
    machine = changing_clock.two_speeds(np.random.default_rng(3))
    found = compared(monkeypatch, machine, other_ms, offset=0.01)
    assert found.verdict == verdict and found.smallest is not None and found.smallest < 0.05
    assert found.low is not None and found.high is not None and found.low < other_ms < found.high


def readings(*runs: tuple[tuple[float, ...], tuple[float, ...]]) -> dict[str, Timing]:
    """Processes, each with the runs of the first and of the other model, one a visit."""
    speed = HostSpeed(NOT_GATED, "made up")
    made = []
    for sides in runs:
        visits = [tuple(Visit((ms,)) for ms in side) for side in sides]
        pairs = zip(("first", "other"), visits, strict=True)
        made.append(Readings({k: Measurement(k, v, 0.25, True) for k, v in pairs}, speed))
    return timings_of(["first", "other"], made)


def test_the_ratio_is_the_median_of_the_processes_own() -> None:
    steady = (1.0,) * 24
    found = ratios_of(
        readings((steady, (1.1,) * 24), (steady, (1.2,) * 24), (steady, (1.3,) * 24))
    )["other"]
    assert found.process_ratios == pytest.approx((1.1, 1.2, 1.3))
    assert found.ratio == pytest.approx(1.2) and found.reference == "first"
    assert found.low is not None and found.high is not None
    assert found.smallest == pytest.approx((found.high - found.low) / 2 / 1.2)


def test_what_slows_both_models_down_cancels() -> None:
    drift = tuple(1 + 0.02 * np.arange(24))
    found = ratios_of(readings(*[(drift, tuple(1.05 * ms for ms in drift))] * 3))["other"]
    assert found.process_ratios == pytest.approx((1.05,) * 3)
    assert (found.low, found.high) == pytest.approx((1.05, 1.05))


def test_visits_that_one_model_missed_do_not_count() -> None:
    # Visits of both at full speed; in as many more, only the first model's probes were slow.
    quick, slow = (12.0,), (18.0,)
    speed = HostSpeed("busy", "", "p", 12.0, 12.0)
    first = tuple(Visit((1.0,), quick, quick) for _ in range(24))
    first += tuple(Visit((1.5,), slow, slow) for _ in range(24))
    other = tuple(Visit((1.0,), quick, quick) for _ in range(24))
    other += tuple(Visit((0.5,), quick, quick) for _ in range(24))
    found = {
        key: Measurement(key, visits, 0.25, True, speed.limit_us)
        for key, visits in (("first", first), ("other", other))
    }
    ratio = ratios_of(timings_of(["first", "other"], [Readings(found, speed)] * 3))["other"]
    assert ratio.process_ratios == (1.0, 1.0, 1.0)


def test_too_few_runs_or_processes_cannot_tell() -> None:
    few = ratios_of(readings(*[((1.0,) * 3, (1.1,) * 3)] * 3))["other"]
    assert (few.verdict, few.ratio, few.smallest) == ("cannot tell", None, None)
    assert "too few undisturbed runs" in few.reason
    one = ratios_of(readings(((1.0,) * 24, (1.1,) * 24)))["other"]
    assert one.verdict == "cannot tell" and one.ratio == pytest.approx(1.1)
    assert "one process alone" in one.reason


def test_one_model_alone_is_refused() -> None:
    with pytest.raises(LatencyError, match="Expected two or more models to compare"):
        compare_models(MODELS[:1], SessionSettings(), MeasurePlan(), QUICK)
