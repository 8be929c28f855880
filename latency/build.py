"""Measures everything that a table consists of in one interleaved session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latency.graphs import empty_model, optimized_op_counts
from latency.measure import STATISTICS_SEED, Measurement, Model, run_models
from latency.predictor import Audit, Calibration, audit, calibrate
from latency.rows import Network, Row, RowPlan, WholePlan, row_by_difference, row_quantity
from latency.session import SessionSettings
from latency.stats import half_values
from latency.timer import MeasurePlan, Progress
from latency.worker import Outcome, Quantity

OVERHEAD_KEY = "run_overhead"
# A row this certain, relative to the median network, cannot spoil a whole network's sum.
FLOOR_SHARE = 0.001


class BuildError(ValueError):
    """Plans that name rows or models which do not exist."""


@dataclass(frozen=True)
class TableParts:
    """What a session of measurements gives a table.

    Args:
        rows: Key -> row.
        networks: Key -> whole network.
        calibration: None without calibration networks.
        audit: None without at least two held-out networks.
        run_overhead_ms: One run of an empty model.
        duration_seconds: Time spent measuring, over all resumed parts.
        warnings: What a reader should know.
    """

    rows: dict[str, Row]
    networks: dict[str, Network]
    calibration: Calibration | None
    audit: Audit | None
    run_overhead_ms: float
    duration_seconds: float
    warnings: tuple[str, ...]


def measure_parts(
    models: Sequence[Model],
    rows: Sequence[RowPlan],
    wholes: Sequence[WholePlan],
    settings: SessionSettings,
    plan: MeasurePlan,
    progress: Progress | None = None,
    resume_path: Path | None = None,
) -> TableParts:
    """Measures models and turns them into rows, calibration and audit.

    Raises:
        ValueError: A plan names a missing model or row, or a model cannot be measured.
    """
    check_plans(models, rows, wholes)
    everything = [*models, Model(OVERHEAD_KEY, empty_model(), OVERHEAD_KEY)]
    quantities = [row_quantity(row, OVERHEAD_KEY) for row in rows]
    quantities += [Quantity((whole.key,), (1.0,)) for whole in wholes]
    worker_plan = {
        **plan.to_json(),
        "floor_share": FLOOR_SHARE,
        "floor_keys": [whole.key for whole in wholes],
    }
    outcome = run_models(
        everything,
        settings,
        worker_plan,
        quantities,
        progress=progress,
        resume_path=resume_path,
    )
    measured = _measurements(outcome, rows, wholes, plan)
    data = {model.key: model.data for model in models}
    made, warnings = _make_rows(rows, outcome, measured, data, settings)
    networks = {w.key: Network(w.role, w.row_keys, measured[w.key]) for w in wholes}
    calibration = fit_networks(made, networks)
    overhead_ms = measured[OVERHEAD_KEY].latency_ms
    return TableParts(
        rows=made,
        networks=networks,
        calibration=calibration,
        audit=audit_networks(made, networks, calibration, overhead_ms),
        run_overhead_ms=overhead_ms,
        duration_seconds=round(outcome.seconds, 3),
        warnings=tuple(warnings + _unstable(made, networks, plan)),
    )


def check_plans(
    models: Sequence[Model], rows: Sequence[RowPlan], wholes: Sequence[WholePlan]
) -> None:
    """Refuses plans with repeated keys or with names of nothing, before anything is timed.

    Raises:
        BuildError: As said.
    """
    model_keys = {model.key for model in models}
    row_keys = {row.key for row in rows}
    needed = {row.long_key for row in rows} | {row.short_key for row in rows if row.short_key}
    needed |= {whole.key for whole in wholes}
    _refuse_missing("a model for every plan", needed - model_keys)
    used = {key for whole in wholes for key in whole.row_keys}
    _refuse_missing("a row plan for every row of a whole network", used - row_keys)
    names = ([row.key for row in rows], [w.key for w in wholes], [*model_keys, OVERHEAD_KEY])
    twice = {key for keys in names for key in keys if keys.count(key) > 1}
    if twice or not rows:
        raise BuildError(
            "Expected one or more row plans, all keys unique. "
            f"Received: {len(rows)} rows, repeated: {', '.join(sorted(twice)) or 'none'}. "
            "Fix: give every row and network a key of its own."
        )


def _refuse_missing(expected: str, missing: set[str]) -> None:
    if missing:
        first = ", ".join(sorted(missing)[:3])
        raise BuildError(
            f"Expected {expected}. Received: none for {first} ({len(missing)} missing). "
            "Fix: add them, or drop the plans that name them."
        )


def _measurements(
    outcome: Outcome, rows: Sequence[RowPlan], wholes: Sequence[WholePlan], plan: MeasurePlan
) -> dict[str, Measurement]:
    certain = {w.key: outcome.certain[len(rows) + index] for index, w in enumerate(wholes)}
    return {
        key: Measurement(
            key, tuple(tuple(visit) for visit in visits), plan.quantile, certain.get(key, True)
        )
        for key, visits in outcome.samples_ms.items()
    }


def _make_rows(
    plans: Sequence[RowPlan],
    outcome: Outcome,
    measured: Mapping[str, Measurement],
    data: Mapping[str, bytes],
    settings: SessionSettings,
) -> tuple[dict[str, Row], list[str]]:
    rows, warnings = {}, []
    for index, plan in enumerate(plans):
        row, warning = row_by_difference(
            plan,
            measured[plan.long_key],
            measured[plan.short_key or OVERHEAD_KEY],
            outcome.certain[index],
            optimized_op_counts(data[plan.long_key], settings),
        )
        rows[plan.key] = row
        warnings += [warning] if warning else []
    return rows, warnings


def _sum_ms(rows: Mapping[str, Row], network: Network) -> float:
    return sum(rows[key].latency_ms for key in network.row_keys)


def fit_networks(rows: Mapping[str, Row], networks: Mapping[str, Network]) -> Calibration | None:
    """Calibrates on the networks of that role; None where there is none."""
    chosen = [network for network in networks.values() if network.role == "calibration"]
    if not chosen:
        return None
    sums_ms = [_sum_ms(rows, network) for network in chosen]
    return calibrate(sums_ms, [network.measurement.latency_ms for network in chosen])


def audit_networks(
    rows: Mapping[str, Row],
    networks: Mapping[str, Network],
    calibration: Calibration | None,
    run_overhead_ms: float,
) -> Audit | None:
    """Judges the prediction on held-out networks; None with fewer than two."""
    chosen = {key: value for key, value in networks.items() if value.role == "held_out"}
    if len(chosen) < 2:
        return None
    predictor = calibration or Calibration(1.0, run_overhead_ms, 0, ())
    halves = {}
    for index, (key, network) in enumerate(chosen.items()):
        reading = network.measurement
        seed = STATISTICS_SEED + index
        halves[key] = half_values([reading.samples_ms], [1.0], reading.quantile, seed)
    return audit(
        {key: predictor.predict_ms(_sum_ms(rows, network)) for key, network in chosen.items()},
        {key: network.measurement.latency_ms for key, network in chosen.items()},
        halves,
    )


def _unstable(
    rows: Mapping[str, Row], networks: Mapping[str, Network], plan: MeasurePlan
) -> list[str]:
    """Says in pyperf's manner what is not stable and what to do about it."""
    loose = sum(not row.stable for row in rows.values())
    loose += sum(not network.measurement.stable for network in networks.values())
    if not loose:
        return []
    return [
        f"not stable: {loose} of {len(rows) + len(networks)} rows and networks are wider than "
        f"{plan.relative_tolerance:.1%} after {plan.max_rounds} rounds; stop other programs, "
        f"or measure with {2 * plan.max_rounds} rounds"
    ]
