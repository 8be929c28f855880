"""A job and its result -> a table: rows, calibration, audit, and what a check needs later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from latency.device.graph_info import GraphInfo
from latency.device.records import Result
from latency.device.settings import LOADING_FLAGS, SessionSettings
from latency.jobs.job import OVERHEAD_KEY, Job
from latency.measurement.measure import STATISTICS_SEED, Measurement
from latency.measurement.result import ResultError
from latency.measurement.statistics import half_values
from latency.onnx_files.features import row_features, vector_channels
from latency.onnx_files.operators import row_operators
from latency.onnx_files.skeleton import strip_weights
from latency.tables.networks import fit_networks, row_terms
from latency.tables.predictor import Audit, Calibration, audit
from latency.tables.row_model import MIN_ROWS, RowModel, fit_row_model
from latency.tables.rows import Network, Row, row_by_difference
from latency.tables.table import LatencyTable

# Networks whose graphs a table keeps, so that `check` can measure them again.
ANCHORS = 5
# Above this a device under test was hot or busy enough to be told.
WARM_CELSIUS = 80.0


def table_of(job: Job, result: Result) -> LatencyTable:
    """Makes the table of a job out of what a worker measured.

    Raises:
        ValueError: A sample is impossible, or the networks give no calibration.
    """
    _refuse_other_settings(job, result)
    measured = _measurements(job, result)
    features = _features(job, result)
    rows, warnings = _rows(job, result, measured, features)
    networks = {w.key: Network(w.role, w.row_keys, measured[w.key]) for w in job.wholes}
    calibration = fit_networks(rows, networks)
    overhead_ms = measured[OVERHEAD_KEY].latency_ms
    subject = job.subject
    return LatencyTable(
        space=subject.space,
        space_hash=subject.space_hash,
        image_size=subject.image_size,
        precision=subject.precision,
        scheme=subject.scheme,
        batch=subject.batch,
        host=result.host,
        settings=result.settings,
        statistic=f"p{100 * job.plan.quantile:g}",
        plan=job.plan,
        job_id=result.job_id,
        date=result.started_at,
        duration_seconds=round(result.seconds, 3),
        rounds=result.rounds,
        rows=rows,
        calibration=calibration,
        audit=audit_networks(rows, networks, calibration, overhead_ms),
        row_model=_row_model(job, rows),
        run_overhead_ms=overhead_ms,
        networks=networks,
        anchors=_anchors(job, networks),
        state_log=result.log,
        speed=result.speed,
        load_average_after=result.state_after.load_average,
        warnings=tuple(
            [
                *warnings,
                *_unstable(rows, networks, job),
                *_held_up(measured),
                *_doubts(job, result, rows),
            ]
        ),
    )


def _refuse_other_settings(job: Job, result: Result) -> None:
    """A result is of the job's settings, but for what the device's command line has to say."""
    asked, used = vars(job.settings), vars(result.settings)
    names = [field.name for field in fields(SessionSettings) if field.compare]
    others = [name for name in names if name not in LOADING_FLAGS and asked[name] != used[name]]
    if others:
        raise ResultError(
            f"a result measured with {', '.join(f'{n} {asked[n]!r}' for n in others)}, as the job "
            "asks",
            ", ".join(f"{name} {used[name]!r}" for name in others),
            "import it into the folder that it was measured in, or run the job again",
        )


def _measurements(job: Job, result: Result) -> dict[str, Measurement]:
    first = len(job.rows)
    if result.failed:
        key, reason = next(iter(result.failed.items()))
        raise ResultError(f"models that run, {key!r} among them", reason, "mend or leave it out")
    missing = {model.key for model in job.everything} - set(result.visits)
    if missing:
        raise ResultError(
            f"samples of every model of job {result.job_id}",
            f"none of {', '.join(sorted(missing)[:3])} ({len(missing)} missing)",
            "run the job again",
        )
    if len(result.certain) != first + len(job.wholes):
        raise ResultError(
            f"a verdict on each of {first + len(job.wholes)} rows and networks",
            str(len(result.certain)),
            "run the job again",
        )
    certain = {w.key: result.certain[first + index] for index, w in enumerate(job.wholes)}
    return {
        key: Measurement(
            key, visits, job.plan.quantile, certain.get(key, True), result.speed.limit_us
        )
        for key, visits in result.visits.items()
    }


def _features(job: Job, result: Result) -> dict[str, dict[str, float]]:
    vector = vector_channels(result.host.isa_flags)
    data = {model.key: model.data for model in job.models}
    found = {}
    for plan in job.rows:
        short = data[plan.short_key] if plan.short_key else None
        found[plan.key] = row_features(data[plan.long_key], short, plan.divisor, vector)
    return found


def _rows(
    job: Job,
    result: Result,
    measured: Mapping[str, Measurement],
    features: Mapping[str, Mapping[str, float]],
) -> tuple[dict[str, Row], list[str]]:
    rows, warnings = {}, []
    for index, plan in enumerate(job.rows):
        row, warning = row_by_difference(
            plan,
            measured[plan.long_key],
            measured[plan.short_key or OVERHEAD_KEY],
            result.certain[index],
            result.described.get(plan.long_key, GraphInfo({})),
            features[plan.key],
        )
        rows[plan.key] = row
        warnings += [warning] if warning else []
    return rows, warnings


def _row_model(job: Job, rows: Mapping[str, Row]) -> RowModel | None:
    """A predictor for rows that are not in the table; None where there are too few to learn."""
    known = {key: row.latency_ms for key, row in rows.items() if row.latency_ms > 0}
    if len(known) < MIN_ROWS:
        return None
    data = {model.key: model.data for model in job.models}
    operators = {
        plan.key: row_operators(
            data[plan.long_key], data[plan.short_key] if plan.short_key else None
        )
        for plan in job.rows
        if plan.key in known
    }
    groups = {key: key.rpartition("@")[2] for key in known}
    features = {key: rows[key].features for key in known}
    return fit_row_model(features, known, operators, groups=groups)


def _anchors(job: Job, networks: Mapping[str, Network]) -> dict[str, str]:
    """Graphs without weights of a few networks, spread evenly over the measured latencies."""
    held_out = [key for key, network in networks.items() if network.role == "held_out"]
    keys = held_out or list(networks)
    keys.sort(key=lambda key: networks[key].measurement.latency_ms)
    count = min(ANCHORS, len(keys))
    places = [round(i * (len(keys) - 1) / max(1, count - 1)) for i in range(count)]
    data = {model.key: model.data for model in job.models}
    return {keys[place]: strip_weights(data[keys[place]]) for place in places}


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
        halves[key] = half_values([reading.runs_ms], [1.0], reading.quantile, seed)
    return audit(
        {key: predictor.predict_ms(*row_terms(rows, network)) for key, network in chosen.items()},
        {key: network.measurement.latency_ms for key, network in chosen.items()},
        halves,
    )


def _unstable(rows: Mapping[str, Row], networks: Mapping[str, Network], job: Job) -> list[str]:
    """Says in pyperf's manner what is not stable and what to do about it.

    A table is read by programs that build none: what they are told names no flag of another one.
    """
    loose = sum(not row.stable for row in rows.values())
    loose += sum(not network.measurement.stable for network in networks.values())
    if not loose:
        return []
    return [
        f"not stable: {loose} of {len(rows) + len(networks)} rows and networks are wider than "
        f"{job.plan.relative_tolerance:.1%} after {job.plan.max_rounds} rounds; stop other "
        f"programs, or measure the table again with up to {2 * job.plan.max_rounds} rounds"
    ]


def _held_up(measured: Mapping[str, Measurement]) -> list[str]:
    """Says how many models no run of was made at full speed."""
    count = sum(not reading.kept_count for reading in measured.values())
    if not count:
        return []
    return [
        f"{count} of {len(measured)} graphs were never timed at full speed, and their milliseconds "
        "are those of a busy machine; stop other programs, or measure the table again for longer"
    ]


def _doubts(job: Job, result: Result, rows: Mapping[str, Row]) -> list[str]:
    """What the device itself reported and a reader should know."""
    warnings = [f"{key} was unknown on the device and had no effect" for key in result.unknown_keys]
    if result.speed.reason:
        warnings.append(f"speed gate: {result.speed.state}: {result.speed.reason}")
    if job.settings.intra_op_num_threads > 1:
        warnings.append("more than one thread: repeatable only on a machine that does nothing else")
    for row in rows.values():
        share = (row.node_share or {}).get(job.settings.provider, 1.0)
        if share < 1:
            warnings.append(f"{job.settings.provider} took {share:.0%} of row {row.key!r}")
            break
    states = [*result.log, result.state_after]
    celsius = max(state.temperature_celsius or 0.0 for state in states)
    if celsius > WARM_CELSIUS:
        warnings.append(f"the device reached {celsius:.0f} degrees Celsius: cool it and run again")
    throttled = {s.throttled for s in states if s.throttled} - {"throttled=0x0"}
    if throttled:
        warnings.append(f"the device slowed itself down ({', '.join(sorted(throttled))})")
    return warnings
