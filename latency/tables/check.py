"""Is a stored table still true here? Measures a few of its networks again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latency.command_line import latency_command
from latency.device.host import current_host
from latency.device.load import OtherLoad
from latency.device.meter import Progress
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.speed import NOT_GATED, SLOWER, HostSpeed
from latency.errors import LatencyError
from latency.measurement import statistics
from latency.measurement.measure import Measurement, Model, Readings, measure
from latency.measurement.timing import LEAST_KEPT
from latency.onnx_files.skeleton import restore_all
from latency.tables.table import LatencyTable

GOOD, STALE, UNSURE = "good", "stale", "cannot tell"
# Fresh processes of an unchanged machine differ by 1 to 4 % (docs/results/latency-audit.md).
GOOD_DRIFT, STALE_DRIFT = 0.06, 0.08
# A network off by this much after the common drift is taken out has changed for itself.
RESIDUAL = 0.06
# Where nothing is gated (several threads, other providers), the fastest runs meet no disturbance: a
# drift that they do not share is the machine's mood.
FAST_QUANTILE = 0.05
# There, share of one core that other processes may use before a slower reading proves nothing.
BUSY_CORES = 0.25
SECONDS = 30.0
PLAN = MeasurePlan(min_rounds=100, max_rounds=400, runs_per_visit=4, max_seconds=SECONDS)


class CheckError(LatencyError):
    """A table that cannot be checked."""


@dataclass(frozen=True)
class Point:
    """One network: what the table says and what is measured now, all in ms.

    Args:
        key: The network's.
        predicted_ms: Of the table's rows and calibration.
        stored_ms: Measured when the table was made.
        measured_ms: Measured now.
        residual_percent: Deviation from the common drift.
        noise_percent: Split-half noise of the new measurement.
    """

    key: str
    predicted_ms: float
    stored_ms: float
    measured_ms: float
    residual_percent: float
    noise_percent: float


@dataclass(frozen=True)
class Check:
    """A verdict on a table with everything that it rests on.

    Args:
        verdict: 'good', 'stale' or 'cannot tell'.
        reason: One sentence.
        drift: Measured now over predicted, the median of the networks; 1 is no drift.
        stored_drift: Measured now over measured then.
        fast_drift: The same of the fastest runs alone.
        other_cores: Cores' worth of time that other processes used; None where unknown.
        seconds: Time spent.
        points: Each network.
        speed: How fast the host was.
    """

    verdict: str
    reason: str
    drift: float
    stored_drift: float
    fast_drift: float
    other_cores: float | None
    seconds: float
    points: tuple[Point, ...]
    speed: HostSpeed


def check_table(
    table: LatencyTable,
    settings: SessionSettings | None = None,
    plan: MeasurePlan = PLAN,
    progress: Progress | None = None,
) -> Check:
    """Measures the table's anchor networks again and compares.

    Args:
        table: With anchors.
        settings: That networks will be deployed with; the table's own by default.
        plan: Rounds and time.
        progress: Called after each visit.

    Raises:
        CheckError: The table is of another machine, or keeps no networks.
        LatencyError: A stored graph is damaged or does not run here.
    """
    differences = current_host().differences(table.host)
    if differences:
        raise CheckError(
            "a table of this machine",
            f"one of another host ({'; '.join(differences)})",
            "run this check on that machine",
        )
    if not table.anchors:
        raise CheckError(
            "a table that keeps networks to measure again",
            "one without any",
            "build the table with calibration or held-out networks",
        )
    models = [
        Model(key, data, key) for key, data in restore_all(table.anchors, table.plan.seed).items()
    ]
    meter = OtherLoad()
    measured = measure(models, settings or table.settings, plan, progress=progress)
    return judge(table, measured, meter.cores(), meter.seconds())


def judge(
    table: LatencyTable, measured: Readings, other_cores: float | None, seconds: float
) -> Check:
    """Compares new measurements of a table's networks with what it says about them.

    Args:
        table: With the networks.
        measured: Key -> new measurement, and how fast the host was.
        other_cores: Cores' worth of time that others used meanwhile; None where unknown.
        seconds: Time spent, for the record.
    """
    keys = list(measured)
    now = np.array([measured[key].latency_ms for key in keys])
    stored = np.array([table.networks[key].measurement.latency_ms for key in keys])
    predicted = np.array([table.predict_ms(table.networks[key].row_keys) for key in keys])
    stored_drift = float(np.median(now / stored))
    residuals = now / stored / stored_drift - 1
    points = tuple(
        Point(
            key=key,
            predicted_ms=float(predicted[index]),
            stored_ms=float(stored[index]),
            measured_ms=float(now[index]),
            residual_percent=float(100 * residuals[index]),
            noise_percent=100 * measured[key].noise,
        )
        for index, key in enumerate(keys)
    )
    fast = float(np.median([_fast_ratio(table, key, measured[key]) for key in keys]))
    drifts = _Drifts(
        float(np.median(now / predicted)), fast * float(np.median(stored / predicted)), points
    )
    if measured.speed.state == NOT_GATED:
        verdict, reason = _ungated_verdict(drifts, other_cores)
    else:
        verdict, reason = _gated_verdict(drifts, table, measured)
    return Check(
        verdict=verdict,
        reason=reason,
        drift=drifts.drift,
        stored_drift=stored_drift,
        fast_drift=drifts.fast_drift,
        other_cores=other_cores,
        seconds=round(seconds, 3),
        points=points,
        speed=measured.speed,
    )


def _fast_ratio(table: LatencyTable, key: str, now: Measurement) -> float:
    then = table.networks[key].measurement
    return statistics.quantile_ms(now.runs_ms, FAST_QUANTILE) / statistics.quantile_ms(
        then.runs_ms, FAST_QUANTILE
    )


@dataclass(frozen=True)
class _Drifts:
    """What new measurements say of a table.

    Args:
        drift: Measured now over predicted, the median of the networks.
        fast_drift: The same of the fastest runs alone.
        points: Each network.
    """

    drift: float
    fast_drift: float
    points: tuple[Point, ...]

    @property
    def noise(self) -> float:
        """Of the median network, a share."""
        return float(np.median([point.noise_percent for point in self.points])) / 100

    @property
    def changed(self) -> int:
        """How many networks left the common drift."""
        limit = max(RESIDUAL, 4 * self.noise)
        return sum(abs(point.residual_percent) / 100 > limit for point in self.points)

    @property
    def text(self) -> str:
        """The drift in words."""
        return f"measured is {self.drift:.3f} of predicted"

    @property
    def changed_text(self) -> str:
        """The networks that left the common drift, in words."""
        return f"{self.changed} of {len(self.points)} networks left the common drift"

    @property
    def is_good(self) -> bool:
        """Whether the table still says what is measured."""
        return abs(self.drift - 1) <= GOOD_DRIFT and self.changed <= 1


def _gated_verdict(drifts: _Drifts, table: LatencyTable, measured: Readings) -> tuple[str, str]:
    """By runs at full speed: what other programs used meanwhile plays no part."""
    speed = measured.speed
    short = [key for key, reading in measured.items() if reading.kept_count < LEAST_KEPT]
    if short:
        share = f"{speed.share_full_speed or 0:.0%}"
        return UNSURE, (
            f"{len(short)} of {len(measured)} networks have fewer than {LEAST_KEPT} undisturbed "
            f"runs; the host was at full speed in {share} of the time: stop other programs, and "
            "check again"
        )
    if drifts.is_good:
        return GOOD, f"{drifts.text}, and the networks agree"
    if speed.state == SLOWER:
        return UNSURE, (
            f"{drifts.text}, but the host itself is slower than its own best ({speed.reason}): "
            f"let it cool or end its power saving; see {latency_command('clock')}"
        )
    if abs(drifts.drift - 1) > STALE_DRIFT:
        return STALE, f"{drifts.text} at the host's full speed{_speed_then(table, speed)}"
    if drifts.changed > 1:
        return STALE, drifts.changed_text
    return UNSURE, (
        f"{drifts.text}: more than {GOOD_DRIFT:.0%}, which is still good, and less than "
        f"{STALE_DRIFT:.0%}, which is stale: check again, or measure the table again"
    )


def _speed_then(table: LatencyTable, now: HostSpeed) -> str:
    """Says so where the table was measured on a host that was slower or faster than it is now."""
    then = table.speed
    if then.probe != now.probe or not then.full_speed_us or not now.full_speed_us:
        return ""
    ratio = then.full_speed_us / now.full_speed_us
    if 1 / now.gate <= ratio <= now.gate:
        return ""
    return f"; the host's probe took {ratio:.2f} times as long when the table was measured"


def _ungated_verdict(drifts: _Drifts, other_cores: float | None) -> tuple[str, str]:
    """By all runs: others can only slow a network down, so that a load leaves doubts."""
    if drifts.is_good:
        return GOOD, f"{drifts.text}, and the networks agree"
    drift, fast = drifts.drift, drifts.fast_drift
    # Other programs can only slow a network down: faster than the table is always its fault.
    busy = (other_cores or 0.0) > BUSY_CORES
    if busy and drift > 1:
        return UNSURE, f"{drifts.text}, but other programs used {other_cores:.1f} cores meanwhile"
    both = min(abs(drift - 1), abs(fast - 1)) > STALE_DRIFT
    if both and (drift - 1) * (fast - 1) > 0:
        return STALE, f"{drifts.text}, and the fastest runs agree ({fast:.3f})"
    if drifts.changed > 1 and not busy and drifts.noise < RESIDUAL / 4:
        return STALE, drifts.changed_text
    return UNSURE, f"{drifts.text}, the fastest runs say {fast:.3f}: repeat on a quiet machine"
