"""Measuring from Python: what `import latency` offers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from latency.device.files import read_bytes
from latency.device.inputs import MOST_FILE_BYTES, read_arrays, write_arrays
from latency.device.job import Model
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.errors import LatencyError, all_of
from latency.measurement import processes as measuring
from latency.measurement.measure import Measurement
from latency.measurement.processes import ProcessRule
from latency.measurement.startup import start_fresh_process
from latency.measurement.timing import Timing
from latency.measurement.verdict import MARGIN, Verdict, judge
from latency.onnx_files.conversions import convert_all
from latency.onnx_files.own_inputs import take_arrays
from latency.onnx_files.precision import require_fp16_compute
from latency.onnx_files.several_models import read_several
from latency.tables.table import LatencyTable as Table

if TYPE_CHECKING:
    from onnx import ModelProto

# A file, a serialised model, or one in memory.
ModelSource: TypeAlias = "str | os.PathLike[str] | bytes | ModelProto"

# Input name -> array, model -> input name -> array, or the path of an .npz file.
OwnInputs: TypeAlias = "Mapping[str, Any] | str | os.PathLike[str]"

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


@dataclass(frozen=True)
class _Arguments:
    """How models are read and run, as `measure` and `certify` are told."""

    threads: int
    settings: SessionSettings | None
    input_shapes: Mapping[str, Sequence[int]] | None
    precision: str
    inputs: OwnInputs | None = None


def measure(
    models: Mapping[str, ModelSource] | Sequence[ModelSource],
    *,
    threads: int = 1,
    settings: SessionSettings | None = None,
    plan: MeasurePlan | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    precision: str = "fp32",
    processes: int = PROCESSES,
    inputs: OwnInputs | None = None,
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
        input_shapes: Input name -> shape, for every model that has an input of this name;
            'MODEL:NAME' is the input of one model.
        precision: 'fp32', 'int8' or 'fp16'; the models are fp32 and converted.
        processes: Fresh processes, 1 or more, 3 by default. One alone tells no interval.
        inputs: Arrays of your own, and the others are drawn: input name -> array, for every model
            that has an input of this name; model -> input -> array; or the path of an .npz file.
            A dynamic input that was given no shape has that of its array.

    Returns:
        Name -> timing: `latency_ms` at the machine's own full speed with its 95 % interval from
        `low_ms` to `high_ms`; `p50_ms`, `p90_ms` and `p99_ms` as seen today; and all samples.

    Raises:
        LatencyError: Models cannot be read or run as asked, or arguments contradict each other.
            Each model runs once before anything is timed, and all that fail are named.
    """
    asked = _Arguments(threads, settings, input_shapes, precision, inputs)
    found, used = _prepared(models, asked)
    plan, rule = plan or MeasurePlan(), ProcessRule(processes=processes, most=processes)
    _try_out(found, used, plan)
    return measuring.measure_processes(found, used, plan, rule)


def certify(  # noqa: PLR0913 - all but its own are those of `measure`, by keyword
    model: ModelSource,
    target_ms: float,
    *,
    margin: float = MARGIN,
    threads: int = 1,
    settings: SessionSettings | None = None,
    plan: MeasurePlan | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    precision: str = "fp32",
    inputs: OwnInputs | None = None,
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
        inputs: Arrays of your own, as `measure` takes them, and the others are drawn.

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
    asked = _Arguments(threads, settings, input_shapes, precision, inputs)
    found, used = _prepared([model], asked)
    plan = plan or MeasurePlan()
    rule = ProcessRule(precision=min(ProcessRule.precision, margin / 2))
    _try_out(found, used, plan)
    timings = measuring.measure_processes(found, used, plan, rule)
    timing = timings[found[0].key]
    return judge(timing, target_ms, margin), timing


def _prepared(
    models: Mapping[str, ModelSource] | Sequence[ModelSource],
    arguments: _Arguments,
) -> tuple[list[Model], SessionSettings]:
    """Models as they are measured, and how they are run."""
    threads, settings, precision = arguments.threads, arguments.settings, arguments.precision
    if settings is not None and threads != 1:
        raise ArgumentError(
            "either threads or settings",
            f"threads={threads} and settings",
            f"pass SessionSettings(intra_op_num_threads={threads}, ...) alone",
        )
    used = settings or SessionSettings(intra_op_num_threads=threads)
    sources = _sources(models)
    own = _own_arrays(arguments.inputs, list(sources))
    arrays = {name: given for _, names, given in own for name in names}
    wanted = list((arguments.input_shapes or {}).items())
    data = convert_all(read_several(sources, wanted, arrays), precision, own=arrays)
    inputs = dict.fromkeys(data, b"")
    for source, names, given in own:
        taken = take_arrays(given, {name: data[name] for name in names}, source)
        inputs |= {name: write_arrays(fitting) for name, fitting in taken.items()}
    found = [Model(name, model, name, inputs[name]) for name, model in data.items()]
    if precision == "fp16" and found:
        require_fp16_compute(found[0].data, used)
    return found, used


def _try_out(models: Sequence[Model], settings: SessionSettings, plan: MeasurePlan) -> None:
    """Runs each model once, so that one that fails costs no measurement of the others."""
    starting = {
        model.key: partial(start_fresh_process, model, settings, plan.seed) for model in models
    }
    all_of(starting)


def _sources(
    models: Mapping[str, ModelSource] | Sequence[ModelSource],
) -> dict[str, Path | bytes]:
    """Name -> path or content; a path that is listed twice is one model."""
    if isinstance(models, str | bytes | os.PathLike) or not isinstance(models, Mapping | Sequence):
        raise ArgumentError(
            "models as a mapping or a list", type(models).__name__, "pass [model] for one model"
        )
    found: dict[str, Path | bytes] = {}
    named = models.items() if isinstance(models, Mapping) else enumerate(models)
    for place, source in named:
        is_path = isinstance(source, str | os.PathLike)
        name = place if isinstance(place, str) else str(source) if is_path else f"model_{place}"
        value = _source(name, source)
        if found.setdefault(name, value) != value:
            raise ArgumentError(
                "models with names of their own", f"two of the name {name!r}", "pass name -> model"
            )
    return found


def _source(name: str, source: ModelSource) -> Path | bytes:
    if isinstance(source, str | os.PathLike):
        return Path(source)
    if isinstance(source, bytes):
        return source
    if not hasattr(source, "SerializeToString"):
        raise ArgumentError(
            f"a path, bytes or an onnx.ModelProto as {name!r}",
            type(source).__name__,
            "pass one of these",
        )
    return bytes(source.SerializeToString())


def _own_arrays(
    inputs: OwnInputs | None, names: Sequence[str]
) -> list[tuple[str, Sequence[str], Mapping[str, Any]]]:
    """(where they come from, models, arrays) of a user's own."""
    if inputs is None:
        return []
    if isinstance(inputs, str | os.PathLike):
        return [(str(inputs), names, read_arrays(read_bytes(inputs, MOST_FILE_BYTES)))]
    if not all(isinstance(value, Mapping) for value in inputs.values()):
        return [("inputs", names, inputs)]
    unknown = [name for name in inputs if name not in names]
    if unknown:
        raise ArgumentError(
            f"inputs of the models ({', '.join(names)})",
            repr(unknown[0]),
            "pass model -> input -> array, or input -> array for all models",
        )
    return [("inputs", [name], own) for name, own in inputs.items()]
