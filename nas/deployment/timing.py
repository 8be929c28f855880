"""Exported ONNX files timed next to each other, and which of them to use on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from latency.device.clock import now_text
from latency.device.meter import Progress
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.measurement.compare import FASTER, Ratio, compare_models
from latency.measurement.measure import Model
from latency.measurement.processes import ProcessRule
from latency.measurement.timing import Timing
from nas.deployment.formats import REFERENCE
from nas.deployment.records import ExportedFile, ExportTimings, TimedFile

REFERENCE_VERDICT = "reference"
# What a faster file may lose of top-1 and still be recommended, a share.
MOST_LOSS = 0.01


def sha256(data: bytes) -> str:
    """64 hex digits of a file's content."""
    return hashlib.sha256(data).hexdigest()


def timed(
    files: Mapping[str, bytes],
    settings: SessionSettings,
    plan: MeasurePlan,
    rule: ProcessRule,
    host_fingerprint: str,
    progress: Progress | None = None,
) -> ExportTimings:
    """Times ONNX files in the same new processes, their visits next to each other.

    Args:
        files: Format -> content, model.onnx first; two or more.
        settings: Of the sessions.
        plan: Rounds and runs in each process.
        rule: How many processes.
        host_fingerprint: Of this machine.
        progress: Called after each process.
    """
    models = [Model(name, data, name) for name, data in files.items()]
    timings, ratios = compare_models(models, settings, plan, rule, progress)
    return ExportTimings(
        host_fingerprint=host_fingerprint,
        date=now_text(),
        threads=settings.intra_op_num_threads,
        processes=len(timings[REFERENCE].measurements),
        files=tuple(
            _timed(name, sha256(data), timings[name], ratios.get(name))
            for name, data in files.items()
        ),
    )


def _timed(name: str, file_sha256: str, timing: Timing, ratio: Ratio | None) -> TimedFile:
    return TimedFile(
        name=name,
        file_sha256=file_sha256,
        measured_ms=timing.latency_ms,
        measured_low_ms=timing.low_ms,
        measured_high_ms=timing.high_ms,
        ratio=ratio.ratio if ratio else None,
        ratio_low=ratio.low if ratio else None,
        ratio_high=ratio.high if ratio else None,
        verdict=ratio.verdict if ratio else REFERENCE_VERDICT,
        reason=ratio.reason if ratio else timing.reason,
    )


def recommended(
    files: tuple[ExportedFile, ...], timings: ExportTimings | None
) -> tuple[str | None, str]:
    """Which file to use on this machine, and why.

    Another file than model.onnx is recommended only where the whole 95 % interval of its ratio
    is below 1, and where it loses at most `MOST_LOSS` of top-1.

    Args:
        files: With their accuracy.
        timings: None where nothing was compared.

    Returns:
        Name of the format, None where nothing was compared; and the reason in words.
    """
    if timings is None:
        return None, ""
    accuracy = {file.name: file.top1 for file in files}
    ratios, texts = {REFERENCE: 1.0}, []
    for timing in timings.files[1:]:
        loss = _loss(accuracy, timing.name)
        texts.append(_advice(timing, loss, accuracy))
        is_good = timing.verdict == FASTER and loss is not None and loss <= MOST_LOSS
        if is_good and timing.ratio is not None:
            ratios[timing.name] = timing.ratio
    return min(ratios, key=lambda name: ratios[name]), " ".join(texts)


def _loss(accuracy: Mapping[str, float | None], name: str) -> float | None:
    before, after = accuracy.get(REFERENCE), accuracy.get(name)
    return None if before is None or after is None else before - after


def _advice(timing: TimedFile, loss: float | None, accuracy: Mapping[str, float | None]) -> str:
    """'int8 takes 0.62 of the time of fp32 here ...' and what follows."""
    name = timing.name
    if timing.ratio is None or timing.ratio_low is None or timing.ratio_high is None:
        why = f" ({timing.reason})" if timing.reason else ""
        return f"{name} is not recommended: whether it is faster here cannot be told{why}."
    interval = f"95 % interval {timing.ratio_low:.3f} to {timing.ratio_high:.3f}"
    text = f"{name} takes {timing.ratio:.3f} times as long as {REFERENCE} here ({interval})"
    if loss is None:
        return f"{text}; its accuracy is not known, and it is not recommended."
    before, after = accuracy[REFERENCE] or 0.0, accuracy[name] or 0.0
    text += (
        f" and {'costs' if loss > 0 else 'gains'} {100 * abs(loss):.2f} points of top-1 "
        f"({before:.2%} to {after:.2%})"
    )
    if timing.verdict != FASTER:
        return f"{text}. It is not recommended, as it is not faster here."
    if loss > MOST_LOSS:
        return f"{text}. It is not recommended, as it costs more than {100 * MOST_LOSS:g} points."
    return f"{text}. It is recommended for this machine."
