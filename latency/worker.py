"""Session creation and timing, in one file that needs onnxruntime and numpy alone (Python 3.9+).

The rest of the package calls these functions in process; `python worker.py FOLDER` runs a job
folder (`job.json` and models) anywhere and writes `result.json` beside it.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

GRAPH_LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
CPU_PROVIDER = "CPUExecutionProvider"
RESAMPLES = 200
ROUNDS_BETWEEN_CHECKS = 3
JOB_SCHEMA_VERSION = 1
# Inputs stay away from zero, where sparsity and denormal numbers make kernels faster or slower.
INPUT_LOW, INPUT_HIGH = 0.1, 1.0

Visits = list[list[float]]  # one list of milliseconds a visit


class WorkerError(ValueError):
    """A model, a setting, a journal or a clock that cannot be measured with."""

    def __init__(self, expected: str, received: str, fix: str) -> None:
        super().__init__(f"Expected {expected}. Received: {received}. Fix: {fix}.")


class Quantity(NamedTuple):
    """A weighted sum of quantiles that has to become certain: a model, or a row by difference."""

    keys: tuple[str, ...]
    weights: tuple[float, ...]


class Outcome(NamedTuple):
    """Raw samples in ms of each model and whether each quantity became certain."""

    samples_ms: dict[str, Visits]
    certain: list[bool]
    rounds: int
    seconds: float


# --- sessions ---------------------------------------------------------------------------------


def create_session(model: bytes, settings: Mapping[str, Any], optimized_path: str = "") -> Any:
    """Makes an `onnxruntime.InferenceSession` that runs where it was asked to run.

    Args:
        model: A serialised ONNX model.
        settings: Plain form of `latency.session.SessionSettings`.
        optimized_path: Where onnxruntime writes the graph it really runs; empty for nowhere.

    Raises:
        WorkerError: The provider is missing or fell back to the CPU, or the model does not load.
    """
    import onnxruntime

    provider = settings["provider"]
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise WorkerError(
            f"a provider of this onnxruntime ({', '.join(available)})",
            provider,
            "name one of these, or install the onnxruntime build that has it",
        )
    try:
        session = onnxruntime.InferenceSession(
            model,
            _session_options(onnxruntime, settings, optimized_path),
            providers=[(provider, dict(settings.get("provider_options") or {}))],
        )
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise WorkerError(
            f"an ONNX model that {provider} runs",
            (str(error).splitlines() or [repr(error)])[0],
            "check the file with onnx.checker, and its opset against this onnxruntime",
        ) from error
    if session.get_providers()[0] != provider:
        raise WorkerError(
            f"a session on {provider}",
            f"a silent fallback to {session.get_providers()[0]}",
            "repair the provider's libraries, or ask for the CPU by name",
        )
    return session


def _session_options(onnxruntime: Any, settings: Mapping[str, Any], optimized_path: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = settings["intra_op_num_threads"]
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    level = GRAPH_LEVELS[settings["graph_level"]]
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    entries = {
        "session.intra_op.allow_spinning": str(int(settings["allow_spinning"])),
        "session.set_denormal_as_zero": str(int(settings["set_denormal_as_zero"])),
    }
    # onnxruntime refuses the session when the CPU itself was asked for and may not be used.
    if settings["provider"] != CPU_PROVIDER:
        entries["session.disable_cpu_ep_fallback"] = "1"
    entries.update(settings.get("config_entries") or {})
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    if optimized_path:
        options.optimized_model_filepath = optimized_path
    return options


def random_inputs(session: Any, seed: int) -> dict[str, np.ndarray]:
    """Makes one fixed, non-zero input for every input of a session.

    Raises:
        WorkerError: An input has a dynamic shape or a type that cannot be drawn.
    """
    rng = np.random.default_rng(seed)
    feeds = {}
    for tensor in session.get_inputs():
        shape = tensor.shape
        if not all(isinstance(size, int) and size > 0 for size in shape):
            raise WorkerError(
                "inputs of fixed shape",
                f"input {tensor.name!r} of shape {shape}",
                "export the model with a fixed batch and image size",
            )
        feeds[tensor.name] = _draw(rng, tensor.name, tensor.type, shape)
    return feeds


def _draw(rng: Any, name: str, type_text: str, shape: Sequence[int]) -> np.ndarray:
    kind = type_text.replace("tensor(", "").replace(")", "")
    if kind in ("float", "float16", "double"):
        values = rng.uniform(INPUT_LOW, INPUT_HIGH, shape) * rng.choice([-1.0, 1.0], shape)
        return np.asarray(values, {"float": np.float32, "float16": np.float16}.get(kind, float))
    if kind in ("int8", "uint8"):
        return np.asarray(rng.integers(1, 128, shape), kind)
    if kind in ("int32", "int64"):
        return np.ones(shape, kind)
    raise WorkerError(
        "inputs of type float, float16, double, int8, uint8, int32 or int64",
        f"input {name!r} of type {type_text}",
        "export the model with one of these input types",
    )


def model_runner(model: bytes, settings: Mapping[str, Any], seed: int) -> Callable[[], Any]:
    """Loads a model and returns a function that runs it once on fixed random inputs."""
    session = create_session(model, settings)
    feeds = random_inputs(session, seed)
    names = [output.name for output in session.get_outputs()]
    return lambda: session.run(names, feeds)


# --- statistics that decide when to stop ------------------------------------------------------


def bootstrap_interval(
    samples_ms: Sequence[Sequence[Sequence[float]]],
    weights: Sequence[float],
    quantile: float,
    seed: int,
) -> tuple[float, float]:
    """Returns the 95 % percentile interval of a weighted sum of quantiles.

    Visits are resampled, not runs: runs of one visit share its disturbance. Several models draw
    the same visits, since they were timed next to each other.

    Args:
        samples_ms: Model -> visit -> run, in ms; all models have the same number of visits.
        weights: One factor a model.
        quantile: From 0 to 1.
        seed: Of the resampling.
    """
    count = min(len(visits) for visits in samples_ms)
    picks = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    total = np.zeros(RESAMPLES)
    for visits, weight in zip(samples_ms, weights):  # noqa: B905 (Python 3.9 has no strict)
        values = np.asarray(visits[:count], float)
        drawn = values[picks].reshape(RESAMPLES, -1)
        total += weight * np.quantile(drawn, quantile, axis=1)
    low, high = np.quantile(total, [0.025, 0.975])
    return float(low), float(high)


def weighted_quantile(
    samples_ms: Sequence[Sequence[Sequence[float]]], weights: Sequence[float], quantile: float
) -> float:
    """Returns the weighted sum of each model's quantile over all of its runs, in ms."""
    values = [float(np.quantile(np.ravel(visits), quantile)) for visits in samples_ms]
    return sum(value * weight for value, weight in zip(values, weights))  # noqa: B905


def certain_quantities(
    samples_ms: Mapping[str, Visits],
    quantities: Sequence[Quantity],
    plan: Mapping[str, Any],
) -> list[bool]:
    """Tells which quantities have an interval narrower than the plan's tolerances."""
    floor_ms = float(plan["absolute_floor_ms"])
    if plan.get("floor_keys"):
        medians = [weighted_quantile([samples_ms[k]], [1], 0.5) for k in plan["floor_keys"]]
        floor_ms = max(floor_ms, plan["floor_share"] * float(np.median(medians)))
    verdicts = []
    for quantity in quantities:
        samples = [samples_ms[key] for key in quantity.keys]
        value = weighted_quantile(samples, quantity.weights, plan["quantile"])
        interval = bootstrap_interval(samples, quantity.weights, plan["quantile"], plan["seed"])
        allowed = max(plan["relative_tolerance"] * abs(value), floor_ms)
        verdicts.append(interval[1] - interval[0] <= allowed)
    return verdicts


# --- the journal: finished rounds survive a kill ----------------------------------------------


def read_journal(path: str, identity: str) -> list[dict[str, Any]]:
    """Reads the finished rounds of an interrupted session and cuts off a torn last line.

    Raises:
        WorkerError: The journal belongs to other models, settings or plan.
    """
    if not os.path.exists(path):
        return []
    with open(path, "rb") as stream:
        content = stream.read()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with open(path, "rb+") as stream:
            stream.truncate(len(whole))
    fix = f"delete {path} to start over"
    try:
        lines = [json.loads(line) for line in whole.splitlines()]
        found = lines[0]["identity"] if lines else identity
        numbers = [line["round"] for line in lines[1:]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise WorkerError("a journal of measured rounds", f"{path}: {error}", fix) from error
    if found != identity or numbers != list(range(len(numbers))):
        raise WorkerError(
            f"a journal of the session {identity} with its rounds in order",
            f"{path} of the session {found} with {len(numbers)} rounds",
            fix,
        )
    return lines[1:]


def append_journal(path: str, identity: str, record: Mapping[str, Any]) -> None:
    """Appends one finished round and flushes it to disk."""
    with open(path, "ab") as stream:
        if stream.tell() == 0:
            stream.write(json.dumps({"identity": identity}).encode() + b"\n")
        stream.write(json.dumps(record).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


# --- the timing engine ------------------------------------------------------------------------


def time_once(run: Callable[[], Any], key: str, clock: Callable[[], float]) -> float:
    """Runs once and returns milliseconds, at the clock's resolution of a nanosecond.

    Raises:
        WorkerError: The clock stood still, went backwards or is not a number.
    """
    start = clock()
    run()
    elapsed_ms = round((clock() - start) * 1e3, 6)
    if not (elapsed_ms > 0 and math.isfinite(elapsed_ms)):
        raise WorkerError(
            "every timed run to take more than 0 ms",
            f"{elapsed_ms} ms for {key!r}",
            "use a monotonic clock that is fine enough, such as time.perf_counter",
        )
    return elapsed_ms


def run_rounds(
    runners: Mapping[str, Callable[[], Any]],
    groups: Mapping[str, str],
    quantities: Sequence[Quantity],
    plan: Mapping[str, Any],
    clock: Callable[[], float] = time.perf_counter,
    journal: tuple[str, str] | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> Outcome:
    """Times everything in interleaved rounds until each quantity is certain.

    In every round all groups are visited in random order; in a visit each of the group's models
    drops `drop_per_visit` runs and keeps `runs_per_visit`.

    Args:
        runners: Key -> function that runs the model once.
        groups: Key -> group; a group's models are timed next to each other.
        quantities: What has to become certain; a group stops when all it takes part in is.
        plan: Plain form of `latency.measure.MeasurePlan`; may add `floor_keys`, `floor_share`.
        clock: Seconds.
        journal: Path and identity of the record of finished rounds, or None.
        progress: Called after each visit with visits done, visits at most, seconds left.
    """
    members: dict[str, list[str]] = {}
    for key in runners:
        members.setdefault(groups[key], []).append(key)
    samples: dict[str, Visits] = {key: [] for key in runners}
    past = read_journal(*journal) if journal else []
    for record in past:
        _append(samples, record)
    number, spent = len(past), float(past[-1]["seconds"]) if past else 0.0
    last = set(past[-1]["samples_ms"]) if past else set(runners)
    active = {name for name, keys in members.items() if last.intersection(keys)}
    active -= _finished(members, samples, quantities, plan, number)
    meter, started = _Meter(progress, plan), clock()
    while active and number < plan["max_rounds"] and not _late(plan, number, spent):
        order = np.random.default_rng([plan["seed"], number])
        names = [name for name in _shuffled(list(members), order) if name in active]
        record = {"round": number, "samples_ms": {}}
        for index, name in enumerate(names):
            for key in _shuffled(members[name], order):
                record["samples_ms"][key] = _visit(runners[key], key, plan, clock)
            meter.visited(clock() - started, len(names) - index - 1, number, len(names))
        _append(samples, record)
        now = clock()
        spent, started, number = spent + now - started, now, number + 1
        meter.round_ended()
        if journal:
            append_journal(*journal, {**record, "seconds": spent})
        active -= _finished(members, samples, quantities, plan, number)
    return Outcome(samples, certain_quantities(samples, quantities, plan), number, spent)


def _append(samples: dict[str, Visits], record: Mapping[str, Any]) -> None:
    for key, runs in record["samples_ms"].items():
        samples[key].append(runs)


def _shuffled(names: Sequence[str], rng: Any) -> list[str]:
    return [names[index] for index in rng.permutation(len(names))]


def _late(plan: Mapping[str, Any], number: int, spent: float) -> bool:
    return number > 0 and plan["max_seconds"] is not None and spent >= plan["max_seconds"]


def _finished(
    members: Mapping[str, Sequence[str]],
    samples: Mapping[str, Visits],
    quantities: Sequence[Quantity],
    plan: Mapping[str, Any],
    number: int,
) -> set[str]:
    """Names the groups that need no further visit; looks only every few rounds, for speed."""
    beyond = number - plan["min_rounds"]
    if beyond < 0 or beyond % ROUNDS_BETWEEN_CHECKS:
        return set()
    verdicts = certain_quantities(samples, quantities, plan)
    open_keys = {
        key
        for index, quantity in enumerate(quantities)
        if not verdicts[index]
        for key in quantity.keys
    }
    return {name for name, keys in members.items() if open_keys.isdisjoint(keys)}


def _visit(
    run: Callable[[], Any], key: str, plan: Mapping[str, Any], clock: Callable[[], float]
) -> list[float]:
    with _no_garbage_collection():
        for _ in range(plan["drop_per_visit"]):
            run()
        return [time_once(run, key, clock) for _ in range(plan["runs_per_visit"])]


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Meter:
    """Counts visits and estimates the time that the remaining rounds take at most."""

    def __init__(
        self, progress: Callable[[int, int, float], None] | None, plan: Mapping[str, Any]
    ) -> None:
        self._progress = progress
        self._plan = plan
        self._done = 0
        self._seconds_before = 0.0
        self._seconds = 0.0

    def visited(self, round_seconds: float, left_in_round: int, number: int, active: int) -> None:
        self._done += 1
        self._seconds = self._seconds_before + round_seconds
        if self._progress is None:
            return
        left = left_in_round + active * (self._plan["max_rounds"] - number - 1)
        seconds_left = self._seconds / self._done * left
        if self._plan["max_seconds"] is not None:
            seconds_left = min(seconds_left, max(0.0, self._plan["max_seconds"] - self._seconds))
        self._progress(self._done, self._done + left, seconds_left)

    def round_ended(self) -> None:
        self._seconds_before = self._seconds


# --- job folders ------------------------------------------------------------------------------


def identity_of(models: Mapping[str, bytes], *parts: Any) -> str:
    """Returns 16 hex digits that change with any model, setting or plan."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for key in sorted(models):
        digest.update(key.encode() + b"\0" + hashlib.sha256(models[key]).digest())
    return digest.hexdigest()[:16]


def run_job(folder: str, progress: Callable[[int, int, float], None] | None = None) -> str:
    """Runs `job.json` of a folder, resuming its journal, and returns the result's path.

    Raises:
        WorkerError: The job is of another schema version, or a model cannot be measured.
    """
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as stream:
        job = json.load(stream)
    if job.get("schema_version") != JOB_SCHEMA_VERSION:
        raise WorkerError(
            f"a job of schema version {JOB_SCHEMA_VERSION}",
            str(job.get("schema_version")),
            "use the worker.py that was exported with the job",
        )
    models = {}
    for entry in job["models"]:
        with open(os.path.join(folder, entry["file"]), "rb") as stream:
            models[entry["key"]] = stream.read()
    settings, plan = job["settings"], job["plan"]
    quantities = [Quantity(tuple(q["keys"]), tuple(q["weights"])) for q in job["quantities"]]
    identity = identity_of(models, settings, plan, job["quantities"])
    outcome = run_rounds(
        {key: model_runner(data, settings, plan["seed"]) for key, data in models.items()},
        {entry["key"]: entry["group"] for entry in job["models"]},
        quantities,
        plan,
        journal=(os.path.join(folder, "journal.jsonl"), identity),
        progress=progress,
    )
    result = {"schema_version": JOB_SCHEMA_VERSION, "identity": identity, **outcome._asdict()}
    path = os.path.join(folder, "result.json")
    with open(path + ".part", "w", encoding="utf-8") as stream:
        json.dump(result, stream, allow_nan=False)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(path + ".part", path)
    return path


def main(arguments: Sequence[str]) -> int:
    """Runs the job folder named on the command line."""
    if len(arguments) != 1:
        print("usage: python worker.py FOLDER", file=sys.stderr)
        return 2
    try:
        print(run_job(arguments[0]))
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
