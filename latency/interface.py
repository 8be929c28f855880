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
from latency.measurement import measure as measuring
from latency.measurement.measure import Measurement, Readings
from latency.onnx_files.model_file import check_model, read_model
from latency.onnx_files.precision import convert, require_fp16_compute
from latency.tables.table import LatencyTable as Table

if TYPE_CHECKING:
    from onnx import ModelProto

# A file, a serialised model, or one in memory.
ModelSource: TypeAlias = "str | os.PathLike[str] | bytes | ModelProto"

__all__ = ["LatencyError", "MeasurePlan", "Measurement", "SessionSettings", "Table", "measure"]


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
    fresh_process: bool = True,
) -> Readings:
    """Times ONNX models on this machine, interleaved at random, until each is certain.

    Example:
        >>> import latency
        >>> from latency.onnx_files.graphs import empty_model
        >>> quick = latency.MeasurePlan(min_rounds=3, max_rounds=3)
        >>> found = latency.measure({"empty": empty_model()}, plan=quick, fresh_process=False)
        >>> list(found), found["empty"].latency_ms > 0
        (['empty'], True)

    Args:
        models: Name -> model, or models alone: files are then named by their path, others
            `model_0` and so on by their place. A model is a path, the bytes of a file, or an
            `onnx.ModelProto`, and stays as it is.
        threads: Threads inside an operation; 1 or more, 1 by default.
        settings: How the models are run, instead of `threads`.
        plan: Rounds, runs and when to stop; `MeasurePlan()` by default.
        input_shapes: Input name -> shape, for inputs that are dynamic in a model that has them.
        precision: 'fp32', 'int8' or 'fp16'; the models are fp32 and converted.
        fresh_process: Whether a new process measures, which shares no memory, cache or thread
            with this one; otherwise this one does.

    Returns:
        Name -> measurement: `latency_ms`, its 95 % interval from `low_ms` to `high_ms`, and all
        samples.

    Raises:
        LatencyError: A model cannot be read or run as asked, or arguments contradict each other.
    """
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
    run = measuring.measure_fresh_process if fresh_process else measuring.measure
    return run(found, used, plan or MeasurePlan())


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
