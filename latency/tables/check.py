"""Is a stored table still true here? Measures a few of its networks again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from latency.device.engine import Progress
from latency.device.host import current_host
from latency.device.load import OtherLoad
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.errors import LatencyError
from latency.measurement import statistics
from latency.measurement.measure import Measurement, Model, measure
from latency.onnx_files.skeleton import restore_all
from latency.tables.table import LatencyTable

GOOD, STALE, UNSURE = "good", "stale", "cannot tell"
# Fresh processes of an unchanged machine differ by 1 to 4 % (docs/results/latency-audit.md).
GOOD_DRIFT, STALE_DRIFT = 0.06, 0.08
# A network off by this much after the common drift is taken out has changed for itself.
RESIDUAL = 0.06
# The fastest runs meet no disturbance: a drift that they do not share is the machine's mood.
FAST_QUANTILE = 0.05
# Share of one core that other processes may use before a slower reading proves nothing.
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
    """

    verdict: str
    reason: str
    drift: float
    stored_drift: float
    fast_drift: float
    other_cores: float | None
    seconds: float
    points: tuple[Point, ...]


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
    table: LatencyTable,
    measured: Mapping[str, Measurement],
    other_cores: float | None,
    seconds: float,
) -> Check:
    """Compares new measurements of a table's networks with what it says about them.

    Args:
        table: With the networks.
        measured: Key -> new measurement.
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
    drift = float(np.median(now / predicted))
    fast = float(np.median([_fast_ratio(table, key, measured[key]) for key in keys]))
    fast_drift = fast * float(np.median(stored / predicted))
    verdict, reason = _verdict(drift, fast_drift, residuals, points, other_cores)
    return Check(
        verdict, reason, drift, stored_drift, fast_drift, other_cores, round(seconds, 3), points
    )


def _fast_ratio(table: LatencyTable, key: str, now: Measurement) -> float:
    then = table.networks[key].measurement
    return statistics.quantile_ms(now.runs_ms, FAST_QUANTILE) / statistics.quantile_ms(
        then.runs_ms, FAST_QUANTILE
    )


def _verdict(
    drift: float,
    fast_drift: float,
    residuals: np.ndarray,
    points: tuple[Point, ...],
    other_cores: float | None,
) -> tuple[str, str]:
    noise = float(np.median([point.noise_percent for point in points])) / 100
    limit = max(RESIDUAL, 4 * noise)
    changed = int(np.sum(np.abs(residuals) > limit))
    text = f"measured is {drift:.3f} of predicted"
    if abs(drift - 1) <= GOOD_DRIFT and changed <= 1:
        return GOOD, f"{text}, and the networks agree"
    # Other programs can only slow a network down: faster than the table is always its fault.
    busy = (other_cores or 0.0) > BUSY_CORES
    if busy and drift > 1:
        return UNSURE, f"{text}, but other programs used {other_cores:.1f} cores meanwhile"
    both = min(abs(drift - 1), abs(fast_drift - 1)) > STALE_DRIFT
    if both and (drift - 1) * (fast_drift - 1) > 0:
        return STALE, f"{text}, and the fastest runs agree ({fast_drift:.3f})"
    if changed > 1 and not busy and noise < RESIDUAL / 4:
        return STALE, f"{changed} of {len(points)} networks left the common drift"
    return UNSURE, f"{text}, the fastest runs say {fast_drift:.3f}: repeat on a quiet machine"
