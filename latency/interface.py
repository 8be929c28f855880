"""Measuring from Python: what `import latency` offers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from latency.device.job import Model
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.errors import LatencyError
from latency.measurement import processes as measuring
from latency.measurement.measure import Measurement
from latency.measurement.processes import ProcessRule
from latency.measurement.timing import Timing
from latency.measurement.verdict import MARGIN, Verdict, judge
from latency.onnx_files.model_file import check_model, read_model
from latency.onnx_files.precision import convert, require_fp16_compute
from latency.tables.table import LatencyTable as Table

if TYPE_CHECKING:
    from onnx import ModelProto

# A file, a serialised model, or one in memory.
ModelSource: TypeAlias = "str | os.PathLike[str] | bytes | ModelProto"

PROCESSES = 3

__all__ = [
    "LatencyError",
    "MeasurePlan",
    "Measurement",
    "SessionSettings",
    "Table",
    "Timing",
    "Verdict",
    "certify",
    "measure",
]


class ArgumentError(LatencyError):
    """Arguments that contradict each other."""


def measure(
    models: Mapping[str, ModelSource] | Sequence[ModelSource],
    *,
    threads: int = 1,
    settings: SessionSettings | None = None,
    plan: MeasurePlan | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    precision: str = "fp32",
    processes: int = PROCESSES,
) -> dict[str, Timing]:
    """Times ONNX models on this machine, in several fresh processes and interleaved at random.

    Example:
        >>> import latency
        >>> from latency.onnx_files.graphs import empty_model
        >>> quick = latency.MeasurePlan(min_rounds=3, max_rounds=3, max_wait_seconds=1.0)
        >>> found = latency.measure({"empty": empty_model()}, plan=quick, processes=1)
        >>> list(found), found["empty"].latency_ms > 0, found["empty"].stable
        (['empty'], True, False)

    Args:
        models: Name -> model, or models alone: files are then named by their path, others
            `model_0` and so on by their place. A model is a path, the bytes of a file, or an
            `onnx.ModelProto`, and stays as it is.
        threads: Threads inside an operation; 1 or more, 1 by default.
        settings: How the models are run, instead of `threads`.
        plan: Rounds and runs in each process; `MeasurePlan()` by default.
        input_shapes: Input name -> shape, for inputs that are dynamic in a model that has them.
        precision: 'fp32', 'int8' or 'fp16'; the models are fp32 and converted.
        processes: Fresh processes, 1 or more, 3 by default. One alone tells no interval.

    Returns:
        Name -> timing: `latency_ms` at the machine's own full speed with its 95 % interval from
        `low_ms` to `high_ms`; `p50_ms`, `p90_ms` and `p99_ms` as seen today; and all samples.

    Raises:
        LatencyError: A model cannot be read or run as asked, or arguments contradict each other.
    """
    found, used = _prepared(models, threads, settings, input_shapes, precision)
    rule = ProcessRule(processes=processes, most=processes)
    return measuring.measure_processes(found, used, plan or MeasurePlan(), rule)


def certify(
    model: ModelSource,
    target_ms: float,
    *,
    margin: float = MARGIN,
    threads: int = 1,
    settings: SessionSettings | None = None,
    plan: MeasurePlan | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    precision: str = "fp32",
) -> tuple[Verdict, Timing]:
    """Says whether a model keeps a budget on this machine: yes, no, or that it cannot be told.

    Args:
        model: A path, the bytes of a file, or an `onnx.ModelProto`.
        target_ms: The budget in milliseconds, above 0.
        margin: Relative margin on both sides of it, above 0 and below 1; 0.02 by default.
        threads: Threads inside an operation; 1 or more, 1 by default.
        settings: How the model is run, instead of `threads`.
        plan: Rounds and runs in each process; `MeasurePlan()` by default.
        input_shapes: Input name -> shape, for inputs that are dynamic in the model.
        precision: 'fp32', 'int8' or 'fp16'; the model is fp32 and converted.

    Returns:
        The verdict: `met` is True where the whole 95 % interval lies within the margin, False
        where all of it lies outside, None for cannot tell; `reason` and `fix` are words. And the
        timing that it rests on, of three to seven fresh processes.

    Raises:
        LatencyError: The model cannot be read or run as asked, or an argument is out of range.
    """
    if not (0 < target_ms < float("inf") and 0 < margin < 1):
        raise ArgumentError(
            "target_ms above 0 and a margin between 0 and 1",
            f"target_ms={target_ms}, margin={margin}",
            "pass milliseconds, and a share such as margin=0.02",
        )
    found, used = _prepared([model], threads, settings, input_shapes, precision)
    rule = ProcessRule(precision=min(ProcessRule.precision, margin / 2))
    timings = measuring.measure_processes(found, used, plan or MeasurePlan(), rule)
    timing = timings[found[0].key]
    return judge(timing, target_ms, margin), timing


def _prepared(
    models: Mapping[str, ModelSource] | Sequence[ModelSource],
    threads: int,
    settings: SessionSettings | None,
    input_shapes: Mapping[str, Sequence[int]] | None,
    precision: str,
) -> tuple[list[Model], SessionSettings]:
    """Models as they are measured, and how they are run."""
    if settings is not None and threads != 1:
        raise ArgumentError(
            "either threads or settings",
            f"threads={threads} and settings",
            f"pass SessionSettings(intra_op_num_threads={threads}, ...) alone",
        )
    used = settings or SessionSettings(intra_op_num_threads=threads)
    data = {
        name: convert(_data(name, source, input_shapes or {}), precision)
        for name, source in _named(models)
    }
    found = [Model(name, model, name) for name, model in data.items()]
    if precision == "fp16" and found:
        require_fp16_compute(found[0].data, used)
    return found, used


def _named(
    models: Mapping[str, ModelSource] | Sequence[ModelSource],
) -> list[tuple[str, ModelSource]]:
    if isinstance(models, str | bytes | os.PathLike) or not isinstance(models, Mapping | Sequence):
        raise ArgumentError(
            "models as a mapping or a list", type(models).__name__, "pass [model] for one model"
        )
    if isinstance(models, Mapping):
        return list(models.items())
    named = []
    for place, source in enumerate(models):
        is_path = isinstance(source, str | os.PathLike)
        named.append((str(source) if is_path else f"model_{place}", source))
    return list(dict(named).items())


def _data(name: str, source: ModelSource, shapes: Mapping[str, Sequence[int]]) -> bytes:
    if isinstance(source, str | os.PathLike):
        return read_model(Path(source), shapes)
    data = source if isinstance(source, bytes) else bytes(source.SerializeToString())
    return check_model(name, data, shapes)
