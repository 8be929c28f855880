"""Rows of a table: a block's share of a network, by difference of two measured graphs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from latency.device.graph_info import GraphInfo
from latency.device.statistics import Runs, Visit, bootstrap_interval, weighted_quantile
from latency.jobs.plans import RowError, RowPlan
from latency.measurement.measure import STATISTICS_SEED, Measurement
from latency.measurement.statistics import split_half_noise


@dataclass(frozen=True)
class Network:
    """A whole network with its raw samples, so that an audit can be made again.

    Args:
        role: 'calibration' or 'held_out'.
        row_keys: Rows it consists of.
        measurement: Of the whole network.
    """

    role: str
    row_keys: tuple[str, ...]
    measurement: Measurement


@dataclass(frozen=True)
class Row:
    """One block, option and input shape: what it adds to a network.

    Args:
        key: Names block, option and shape.
        latency_ms: 0 or more.
        low_ms: Lower end of the 95 % bootstrap interval; may lie below 0.
        high_ms: Upper end.
        count: Runs of the long model at full speed.
        stable: Whether the interval became as narrow as asked.
        noise: Mean |h1-h2|/(h1+h2) between halves of the visits.
        visits: 'long' and 'short' -> visits: runs, and the probes around them.
        divisor: The row is the difference of both over this.
        op_counts: Operators of the long model as onnxruntime runs it.
        node_share: Provider -> share of the long model's nodes; None where unknown.
        features: What the row computes and moves, see `latency.onnx_files.features`.
    """

    key: str
    latency_ms: float
    low_ms: float
    high_ms: float
    count: int
    stable: bool
    noise: float
    visits: Mapping[str, tuple[Visit, ...]]
    divisor: float
    op_counts: Mapping[str, int]
    node_share: Mapping[str, float] | None = None
    features: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("latency_ms", "low_ms", "high_ms", "noise"):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value):
                raise RowError(
                    f"a finite number as {name} of row {self.key!r}",
                    repr(value),
                    "measure the table again",
                )
        if self.latency_ms < 0 or self.low_ms > self.high_ms:
            raise RowError(
                f"row {self.key!r} to take 0 ms or more, within its interval",
                f"{self.latency_ms} ms in [{self.low_ms}, {self.high_ms}]",
                "measure the table again",
            )
        if not 0 < self.divisor < math.inf:
            raise RowError(
                f"a divisor above 0 of row {self.key!r}",
                repr(self.divisor),
                "measure the table again",
            )


def difference_ms(long: Measurement, short: Measurement, divisor: float) -> float:
    """Returns what the long model takes more than the short one, over the divisor, in ms."""
    return weighted_quantile(_samples(long, short), _weights(divisor), long.quantile)


def _samples(long: Measurement, short: Measurement) -> list[Runs]:
    if not (long.kept_count and short.kept_count):
        # One at full speed less one that was held up would be neither.
        return [long.plain_runs_ms, short.plain_runs_ms]
    return [long.runs_ms, short.runs_ms]


def _weights(divisor: float) -> tuple[float, float]:
    return 1 / divisor, -1 / divisor


def row_by_difference(
    plan: RowPlan,
    long: Measurement,
    short: Measurement,
    stable: bool,
    described: GraphInfo,
    features: Mapping[str, float],
) -> tuple[Row, str | None]:
    """Makes a row of two measured models, and a warning where noise made it negative.

    Args:
        plan: The row's key and divisor.
        long: Measurement of the model with more blocks.
        short: Measurement of the model with fewer, or of an empty model.
        stable: Whether the difference became certain.
        described: What of the long model really ran.
        features: Of the row.
    """
    samples, weights = _samples(long, short), _weights(plan.divisor)
    quantile = long.quantile
    value_ms = difference_ms(long, short, plan.divisor)
    low_ms, high_ms = bootstrap_interval(samples, weights, quantile, STATISTICS_SEED)
    warning = None
    if value_ms < 0:
        warning = f"row {plan.key!r} came out as {value_ms:.6f} ms and counts as 0"
    row = Row(
        key=plan.key,
        latency_ms=max(0.0, value_ms),
        low_ms=low_ms,
        high_ms=high_ms,
        count=long.kept_count,
        stable=stable,
        noise=split_half_noise(samples, weights, quantile, STATISTICS_SEED),
        visits={"long": long.visits, "short": short.visits},
        divisor=float(plan.divisor),
        op_counts=dict(described.op_counts),
        node_share=described.node_share,
        features=dict(features),
    )
    return row, warning
