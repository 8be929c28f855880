"""A certificate: what was asked of a model, what was measured, and all that it rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar

import numpy as np

from latency.device.clock import now_text
from latency.device.host import Host, current_host
from latency.device.job import Model
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.speed import HostSpeed
from latency.device.startup import OUTPUT_STEPS, Startup
from latency.measurement.timing import Timing
from latency.measurement.verdict import Verdict

OUTPUTS_ROUNDING = (
    f"each output divided by its own largest magnitude and rounded to 1/{OUTPUT_STEPS}"
)
PACKAGES = ("stopwatch-nas", "stopwatch-latency")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a certificate is asked for.

    Args:
        target_ms: Milliseconds.
        margin: Relative margin on both sides of them.
        settings: Of the sessions.
        plan: Rounds and runs in each process.
        precision: Of the measured file, such as 'fp32'.
        scheme: How int8 was made; empty otherwise.
        command: What was called, quoted.
    """

    target_ms: float
    margin: float
    settings: SessionSettings
    plan: MeasurePlan
    precision: str = "fp32"
    scheme: str = ""
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """One model's certificate.

    Args:
        file: The model, as it was named.
        file_sha256: SHA-256 of the file as it lay on the disk.
        measured_sha256: SHA-256 of what was measured: with outside weights put in, dynamic
            inputs fixed, and in the asked precision.
        outputs_sha256: SHA-256 of the outputs on the first input of the seed.
        outputs_rounding: How outputs were rounded before that.
        target_ms: Asked milliseconds.
        margin: Relative margin on both sides of them.
        met: Whether the whole interval lies within the margin; null for cannot tell.
        reason: Why.
        fix: What to do next; empty where the budget is met.
        latency_ms: Milliseconds at the host's own full speed: the median over processes.
        low_ms: Lower end of the 95 % interval; null where it is unknown.
        high_ms: Upper end.
        process_ms: The reading of each process that had enough undisturbed runs.
        statistic: What a reading is.
        gate: A run counts when the probes around it took at most so many times full speed; null
            where nothing was gated.
        kept_count: Undisturbed runs.
        count: All runs.
        share_kept: Undisturbed runs over all runs.
        p50_ms: As seen here today: the median of all runs.
        p90_ms: As seen here today: the 90th percentile.
        p99_ms: As seen here today: the 99th percentile.
        share_full_speed: Share of the time that the host ran at full speed; null where nothing
            was gated.
        session_ms: Time to create a session.
        first_run_ms: Time of the first run.
        peak_bytes: Most memory taken by the model; null where the system does not say.
        threads: Threads of one operator.
        provider: What executed the graph.
        graph_level: ONNX Runtime's graph optimisations.
        set_denormal_as_zero: Whether denormal numbers counted as zero.
        settings: All settings of the sessions.
        precision: Of the measured file.
        scheme: How int8 was made; empty otherwise.
        plan: Rounds, runs and the seed in each process.
        host: The machine and its software.
        host_state: 'full speed', 'busy', 'slower' or 'not gated', in the last process.
        speeds: How fast the host was in each process.
        versions: Package -> version.
        date: When it was certified, ISO 8601 in UTC.
        command: What was called.
    """

    file: str
    file_sha256: str
    measured_sha256: str
    outputs_sha256: str
    outputs_rounding: str
    target_ms: float
    margin: float
    met: bool | None
    reason: str
    fix: str
    latency_ms: float
    low_ms: float | None
    high_ms: float | None
    process_ms: tuple[float, ...]
    statistic: str
    gate: float | None
    kept_count: int
    count: int
    share_kept: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    share_full_speed: float | None
    session_ms: float
    first_run_ms: float
    peak_bytes: int | None
    threads: int
    provider: str
    graph_level: str
    set_denormal_as_zero: bool
    settings: SessionSettings
    precision: str
    scheme: str
    plan: MeasurePlan
    host: Host
    host_state: str
    speeds: tuple[HostSpeed, ...]
    versions: Mapping[str, str]
    date: str
    command: str

    @classmethod
    def of(
        cls,
        model: Model,
        file_data: bytes,
        asked: Asked,
        startup: Startup,
        timing: Timing,
        verdict: Verdict,
    ) -> Certificate:
        """From everything that was found out.

        Args:
            model: What was measured; its key is the file's name.
            file_data: The file as it lay on the disk.
            asked: What was asked for.
            startup: The model's first moments.
            timing: Over several processes.
            verdict: On the timing.
        """
        settings, last = asked.settings, timing.speeds[-1]
        host = current_host()
        is_gated = last.full_speed_us is not None
        return cls(
            file=model.key,
            file_sha256=hashlib.sha256(file_data).hexdigest(),
            measured_sha256=hashlib.sha256(model.data).hexdigest(),
            outputs_sha256=startup.outputs_sha256,
            outputs_rounding=OUTPUTS_ROUNDING,
            target_ms=asked.target_ms,
            margin=asked.margin,
            met=verdict.met,
            reason=verdict.reason,
            fix=verdict.fix,
            latency_ms=timing.latency_ms,
            low_ms=timing.low_ms,
            high_ms=timing.high_ms,
            process_ms=timing.process_ms,
            statistic=statistic_text(asked.plan, is_gated),
            gate=last.gate if is_gated else None,
            kept_count=timing.kept_count,
            count=timing.count,
            share_kept=timing.kept_count / timing.count,
            p50_ms=timing.p50_ms,
            p90_ms=timing.p90_ms,
            p99_ms=timing.p99_ms,
            share_full_speed=timing.share_full_speed,
            session_ms=startup.session_ms,
            first_run_ms=startup.first_run_ms,
            peak_bytes=startup.peak_bytes,
            threads=settings.intra_op_num_threads,
            provider=settings.provider,
            graph_level=settings.graph_level,
            set_denormal_as_zero=settings.set_denormal_as_zero,
            settings=settings,
            precision=asked.precision,
            scheme=asked.scheme,
            plan=asked.plan,
            host=host,
            host_state=last.state,
            speeds=timing.speeds,
            versions=versions(host),
            date=now_text(),
            command=asked.command,
        )


@dataclass(frozen=True)
class CertificateFile:
    """certificate.json of `python -m latency certify`.

    Args:
        certificates: One a model, measured together.
        failed: Model -> why it does not run; it has no certificate.
    """

    SCHEMA_VERSION: ClassVar[int] = 2
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (1,)

    certificates: tuple[Certificate, ...]
    failed: Mapping[str, str] = field(default_factory=dict)


def statistic_text(plan: MeasurePlan, is_gated: bool) -> str:
    """Says in words what a reading is."""
    runs = "undisturbed runs" if is_gated else "all runs"
    return f"median over processes of the {100 * plan.quantile:g}th percentile of {runs}"


def versions(host: Host) -> dict[str, str]:
    """Package -> version of what measured."""
    found = {"python": host.python, "onnxruntime": host.onnxruntime, "numpy": np.__version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # One of the two is installed, or the repository is used as it lies there.
    return found
