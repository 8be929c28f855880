"""Sessions, timing and the device's state, in one file for any device (Python 3.9+).

Needs onnxruntime and numpy alone. The rest of the package calls these functions in process;
`python worker.py FOLDER` runs a job folder (`job.json` and models) anywhere and writes
`result.json` beside it. One file on purpose, see docs/decisions/0006.
"""

from __future__ import annotations

import contextlib
import gc
import glob
import hashlib
import json
import math
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
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
JOB_SCHEMA_VERSION = 2
JOB_KEYS = ("schema_version", "job_id", "settings", "plan", "models", "quantities", "describe")
SETTINGS_KEYS = (
    "intra_op_num_threads",
    "graph_level",
    "provider",
    "provider_options",
    "provider_library",
    "allow_spinning",
    "set_denormal_as_zero",
    "affinity",
    "config_entries",
)
PLAN_KEYS = (
    "min_rounds",
    "max_rounds",
    "runs_per_visit",
    "drop_per_visit",
    "quantile",
    "relative_tolerance",
    "absolute_floor_ms",
    "seed",
    "max_seconds",
    "floor_keys",
    "floor_share",
)
# Instruction sets that onnxruntime's kernels choose between; the other flags decide nothing.
ISA_PREFIXES = ("avx", "amx", "sve", "sme", "neon", "asimd")
ISA_FLAGS = frozenset(("sse4_1", "sse4_2", "fma", "f16c", "i8mm", "bf16", "fphp", "dotprod"))
# Inputs stay away from zero, where sparsity and denormal numbers make kernels faster or slower.
INPUT_LOW, INPUT_HIGH = 0.1, 1.0

_registered_libraries: set[str] = set()  # onnxruntime refuses to register one twice

Visits = list[list[float]]  # one list of milliseconds a visit


class WorkerError(ValueError):
    """A model, a setting, a journal or a clock that cannot be measured with."""

    def __init__(self, expected: str, received: str, fix: str) -> None:
        super().__init__(f"Expected {expected}. Received: {received}. Fix: {fix}.")

    @classmethod
    def of_model(cls, key: str, error: WorkerError) -> WorkerError:
        """Returns the same error with the model's key in front."""
        named = cls("", "", "")
        named.args = (f"Model {key!r}: {error}",)
        return named


class Quantity(NamedTuple):
    """A weighted sum of quantiles that has to become certain: a model, or a row by difference."""

    keys: tuple[str, ...]
    weights: tuple[float, ...]


class Outcome(NamedTuple):
    """Raw samples in ms of each model, whether each quantity became certain, state by round."""

    samples_ms: dict[str, Visits]
    certain: list[bool]
    rounds: int
    seconds: float
    log: list[dict[str, Any]]


# --- sessions ---------------------------------------------------------------------------------


def create_session(
    model: bytes,
    settings: Mapping[str, Any],
    optimized_path: str = "",
    record_assignment: bool = False,
) -> Any:
    """Makes an `onnxruntime.InferenceSession` that runs where it was asked to run.

    Args:
        model: A serialised ONNX model.
        settings: Plain form of `latency.measurement.settings.SessionSettings`.
        optimized_path: Where onnxruntime writes the graph it really runs; empty for nowhere.
        record_assignment: Keeps which provider took which node, for `node_share`.

    Raises:
        WorkerError: The provider is missing or fell back to the CPU, or the model does not load.
    """
    import onnxruntime

    provider = settings["provider"]
    options = _session_options(onnxruntime, settings)
    if optimized_path:
        options.optimized_model_filepath = optimized_path
    if record_assignment:
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    arguments = _provider_arguments(onnxruntime, options, settings)
    try:
        session = onnxruntime.InferenceSession(model, options, **arguments)
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


def _session_options(onnxruntime: Any, settings: Mapping[str, Any]) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = settings["intra_op_num_threads"]
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    level = GRAPH_LEVELS[settings["graph_level"]]
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    for key, value in config_entries(settings).items():
        options.add_session_config_entry(key, value)
    return options


def config_entries(settings: Mapping[str, Any]) -> dict[str, str]:
    """Returns every configuration key and value that a session of these settings gets."""
    entries = {
        "session.intra_op.allow_spinning": str(int(settings["allow_spinning"])),
        "session.set_denormal_as_zero": str(int(settings["set_denormal_as_zero"])),
    }
    # onnxruntime refuses the session when the CPU itself was asked for and may not be used.
    if settings["provider"] != CPU_PROVIDER:
        entries["session.disable_cpu_ep_fallback"] = "1"
    entries.update(settings.get("config_entries") or {})
    return entries


def _provider_arguments(
    onnxruntime: Any, options: Any, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Checks that the provider is there and returns the session's arguments that select it."""
    provider, library = settings["provider"], settings.get("provider_library") or ""
    provider_options = dict(settings.get("provider_options") or {})
    if library:
        devices = _plugin_devices(onnxruntime, provider, library)
        options.add_provider_for_devices(devices, provider_options)
        return {}
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise WorkerError(
            f"a provider of this onnxruntime ({', '.join(available)})",
            provider,
            "name one of these, install the onnxruntime build that has it, or name the library "
            "of a plugin provider",
        )
    return {"providers": [(provider, provider_options)]}


def _plugin_devices(onnxruntime: Any, provider: str, library: str) -> list[Any]:
    if not hasattr(onnxruntime, "register_execution_provider_library"):
        raise WorkerError(
            "an onnxruntime that loads plugin providers",
            f"onnxruntime {onnxruntime.__version__}",
            "install a newer onnxruntime, or leave out the provider's library",
        )
    if not os.path.isfile(library):
        raise WorkerError(
            "the library file of a plugin provider", f"{library}, no such file", "check its path"
        )
    if library not in _registered_libraries:
        try:
            onnxruntime.register_execution_provider_library(provider, library)
            _registered_libraries.add(library)
        except Exception as error:
            raise WorkerError(
                "a library that this onnxruntime can load as a plugin provider",
                f"{library}: {(str(error).splitlines() or [repr(error)])[0]}",
                "install the plugin's version that fits this onnxruntime",
            ) from error
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == provider]
    if not devices:
        names = sorted({device.ep_name for device in onnxruntime.get_ep_devices()})
        raise WorkerError(
            f"a device of {provider} after loading {library}",
            f"devices of {', '.join(names)}",
            "name one of these providers, or install the device's driver",
        )
    # One device runs a session; which of them is the provider options' business.
    return devices[:1]


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


class ModelRunner:
    """Runs one model on fixed random inputs; a call is a run.

    Several threads: idle sessions' threads would spin against the one that is timed, so the
    session lives from the first run of a visit to its end. With one thread it stays loaded.
    """

    def __init__(self, model: bytes, settings: Mapping[str, Any], seed: int) -> None:
        self._model, self._settings, self._seed = model, settings, seed
        self._one_at_a_time = settings["intra_op_num_threads"] > 1
        self._run = self._load()
        self.end_visit()

    def _load(self) -> Callable[[], Any]:
        session = create_session(self._model, self._settings)
        feeds = random_inputs(session, self._seed)
        names = [output.name for output in session.get_outputs()]
        run: Callable[[], Any] = lambda: session.run(names, feeds)  # noqa: E731
        if self._one_at_a_time:
            run()  # allocates, which no timed run may
        return run

    def __call__(self) -> Any:
        if self._run is None:
            self._run = self._load()
        return self._run()

    def end_visit(self) -> None:
        """Lets the session go where several would disturb each other."""
        if self._one_at_a_time:
            self._run = None  # type: ignore[assignment]


def model_runner(model: bytes, settings: Mapping[str, Any], seed: int) -> ModelRunner:
    """Loads a model and returns what runs it once at each call."""
    return ModelRunner(model, settings, seed)


@contextlib.contextmanager
def pinned(cores: Sequence[int] | None) -> Iterator[None]:
    """Keeps this process, and threads that it starts, on some cores; None leaves it free.

    Raises:
        WorkerError: A core is not there, or this system cannot pin.
    """
    if not cores:
        yield
        return
    if not hasattr(os, "sched_setaffinity"):
        raise WorkerError(
            "a system that can pin a process to cores", platform.system(), "leave affinity out"
        )
    before = os.sched_getaffinity(0)
    if not set(cores) <= before:
        raise WorkerError(
            f"cores among {sorted(before)}", f"affinity {list(cores)}", "name cores of this list"
        )
    os.sched_setaffinity(0, set(cores))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# --- what really runs -------------------------------------------------------------------------


def describe_model(model: bytes, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Tells which operators run after onnxruntime's optimizations, and where.

    Returns:
        `op_counts`: operator -> nodes; empty where the provider compiles the graph as a whole.
        `node_share`: provider -> share of nodes; None where onnxruntime is too old to tell.
    """
    import onnxruntime

    can_tell = hasattr(onnxruntime.InferenceSession, "get_provider_graph_assignment_info")
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        path = os.path.join(folder, "optimized.onnx")
        try:
            session = create_session(model, settings, path, can_tell)
            with open(path, "rb") as stream:
                counts = operator_counts(stream.read())
        except (WorkerError, OSError):
            # A compiled graph cannot be written; the session itself must still load.
            session, counts = create_session(model, settings, "", can_tell), {}
    return {"op_counts": counts, "node_share": node_share(session) if can_tell else None}


def node_share(session: Any) -> dict[str, float]:
    """Returns provider -> share (0 to 1) of the graph's nodes that it took."""
    nodes: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        nodes[part.ep_name] += len(part.get_nodes())
    total = sum(nodes.values())
    return {name: count / total for name, count in sorted(nodes.items())} if total else {}


def operator_counts(model: bytes) -> dict[str, int]:
    """Returns operator type -> number of nodes of a serialised ONNX model, sorted.

    Reads the three fields that it needs itself, since a device may lack the onnx package:
    ModelProto.graph is 7, GraphProto.node 1, NodeProto.op_type 4 (onnx.proto).
    """
    counts: Counter[str] = Counter()
    for graph in _length_delimited(model, 7):
        for node in _length_delimited(graph, 1):
            counts.update(text.decode() for text in _length_delimited(node, 4))
    return dict(sorted(counts.items()))


def _length_delimited(message: bytes, wanted: int) -> Iterator[bytes]:
    """Yields the length-delimited fields of one number of a protocol buffer."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 2:
            size, place = _varint(message, place)
            if tag >> 3 == wanted:
                yield message[place : place + size]
            place += size
        elif kind == 0:
            _, place = _varint(message, place)
        else:
            place += 8 if kind == 1 else 4


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


# --- the device and its state -----------------------------------------------------------------


def describe_host() -> dict[str, Any]:
    """Returns the plain form of `latency.measurement.host.Host`: what latencies depend on here."""
    import onnxruntime

    cpu_model, flags = _processor()
    state = device_state()
    return {
        "cpu_model": cpu_model,
        "architecture": platform.machine(),
        "isa_flags": sorted(f for f in flags if f in ISA_FLAGS or f.startswith(ISA_PREFIXES)),
        "cores_visible": _cores_visible(),
        "quota_cores": _quota_cores(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "frequency_mhz": state["frequency_mhz"],
        "ram_bytes": _ram_bytes(),
        "os": platform.system(),
        "kernel": platform.release(),
        "container": _in_container(),
        "hostname": platform.node(),
        "python": platform.python_version(),
        "onnxruntime": str(onnxruntime.__version__),
        "onnxruntime_build": str(getattr(onnxruntime, "get_build_info", lambda: "")()),
        "load_average": state["load_average"],
    }


def host_fingerprint(host: Mapping[str, Any]) -> str:
    """Returns 12 hex digits of what decides a latency; load and host name do not."""
    decisive = [host["cpu_model"], list(host["isa_flags"]), host["cores_visible"]]
    decisive.append(".".join(host["onnxruntime"].split(".")[:2]))
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:12]


def device_state() -> dict[str, Any]:
    """Returns load, mean frequency, highest temperature and throttling; None where unknown."""
    return {
        "at": _now(),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "frequency_mhz": _frequency_mhz(),
        "temperature_celsius": _temperature_celsius(),
        "throttled": _throttled(),
    }


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 (Python 3.9)


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _numbers(pattern: str) -> list[float]:
    texts = (_read(path) for path in sorted(glob.glob(pattern)))
    return [float(text) for text in texts if text and text.lstrip("-").isdigit()]


def _frequency_mhz() -> float | None:
    khz = _numbers("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")
    if khz:
        return round(sum(khz) / len(khz) / 1e3, 1)
    lines = (_read("/proc/cpuinfo") or "").splitlines()
    mhz = [float(line.partition(":")[2]) for line in lines if line.lower().startswith("cpu mhz")]
    return round(sum(mhz) / len(mhz), 1) if mhz else None


def _temperature_celsius() -> float | None:
    millidegrees = _numbers("/sys/class/thermal/thermal_zone*/temp")
    return max(millidegrees) / 1e3 if millidegrees else None


def _throttled() -> str | None:
    """Asks a Raspberry Pi's firmware, the one board that says so; 'throttled=0x0' is good."""
    if not shutil.which("vcgencmd"):
        return None
    try:
        command = ["vcgencmd", "get_throttled"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _processor() -> tuple[str, set[str]]:
    """Reads /proc/cpuinfo, whose names differ between x86 and ARM."""
    found: dict[str, str] = {}
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip().lower(), value.strip())
    parts = [found.get(name, "") for name in ("cpu implementer", "cpu part", "cpu variant")]
    arm = " ".join(part for part in parts if part)
    model = found.get("model name") or found.get("model") or arm or platform.processor()
    revision = "/".join(found[n] for n in ("cpu family", "model", "stepping") if n in found)
    # Virtual machines hide the product name; family and model still tell generations apart.
    if "model name" in found and revision:
        model = f"{model} ({revision})"
    return model or platform.machine(), set(found.get("flags", found.get("features", "")).split())


def _cores_visible() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota_cores() -> float | None:
    version2 = (_read("/sys/fs/cgroup/cpu.max") or "").split()
    if len(version2) == 2 and version2[0] != "max":
        return round(int(version2[0]) / int(version2[1]), 3)
    quota = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    period = _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota and period and int(quota) > 0:
        return round(int(quota) / int(period), 3)
    return None


def _ram_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def _in_container() -> bool:
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return True
    marks = ("docker", "kubepods", "containerd", "lxc", "libpod")
    return any(mark in (_read("/proc/1/cgroup") or "") for mark in marks)


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
    observe: Callable[[], dict[str, Any]] | None = None,
) -> Outcome:
    """Times everything in interleaved rounds until each quantity is certain.

    In every round all groups are visited in random order; in a visit each of the group's models
    drops `drop_per_visit` runs and keeps `runs_per_visit`.

    Args:
        runners: Key -> function that runs the model once.
        groups: Key -> group; a group's models are timed next to each other.
        quantities: What has to become certain; a group stops when all it takes part in is.
        plan: Plain form of `latency.measurement.plan.MeasurePlan`; may add `floor_keys` and
            `floor_share`.
        clock: Seconds.
        journal: Path and identity of the record of finished rounds, or None.
        progress: Called after each visit with visits done, visits at most, seconds left.
        observe: Returns the device's state; called after each round, kept in the log.
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
        fresh: dict[str, Any] = {"round": number, "samples_ms": {}}
        for index, name in enumerate(names):
            for key in _shuffled(members[name], order):
                fresh["samples_ms"][key] = _visit(runners[key], key, plan, clock)
            meter.visited(clock() - started, len(names) - index - 1, number, len(names))
        _append(samples, fresh)
        if observe:
            fresh["state"] = observe()
        now = clock()
        spent, started, number = spent + now - started, now, number + 1
        meter.round_ended()
        past.append({**fresh, "seconds": spent})
        if journal:
            append_journal(*journal, past[-1])
        active -= _finished(members, samples, quantities, plan, number)
    certain = certain_quantities(samples, quantities, plan)
    return Outcome(samples, certain, number, spent, [r["state"] for r in past if "state" in r])


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
        try:
            for _ in range(plan["drop_per_visit"]):
                run()
            return [time_once(run, key, clock) for _ in range(plan["runs_per_visit"])]
        finally:
            if isinstance(run, ModelRunner):
                run.end_visit()


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


def read_job(folder: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Reads `job.json` of a folder and its models, and checks that they are the exported ones.

    Raises:
        WorkerError: Another schema version, a missing field, or a file that was changed.
    """
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as stream:
        job = json.load(stream)
    if not isinstance(job, dict) or job.get("schema_version") != JOB_SCHEMA_VERSION:
        version = job.get("schema_version") if isinstance(job, dict) else type(job).__name__
        raise WorkerError(
            f"a job of schema version {JOB_SCHEMA_VERSION}",
            str(version),
            "use the worker.py that was exported with the job",
        )
    missing = [key for key in JOB_KEYS if key not in job]
    if missing:
        raise WorkerError(
            f"a job with {', '.join(JOB_KEYS)}", f"none of {', '.join(missing)}", "export it again"
        )
    models = {}
    for entry in job["models"]:
        with open(os.path.join(folder, entry["file"]), "rb") as stream:
            models[entry["key"]] = stream.read()
    found = identity_of(models, job["settings"], job["plan"], job["quantities"])
    if found != job["job_id"]:
        raise WorkerError(
            f"the models and settings that make job {job['job_id']}",
            f"those of job {found}",
            "copy the whole folder again, or export the job again",
        )
    return job, models


def unknown_keys(job: Mapping[str, Any]) -> list[str]:
    """Names what this worker, or this onnxruntime, would ignore without a word."""
    parts: list[tuple[str, Mapping[str, Any], tuple[str, ...]]] = [
        ("", job, JOB_KEYS),
        ("settings.", job["settings"], SETTINGS_KEYS),
        ("plan.", job["plan"], PLAN_KEYS),
    ]
    unknown = [prefix + key for prefix, value, known in parts for key in value if key not in known]
    return sorted(unknown) + unknown_config_keys(list(config_entries(job["settings"])))


def unknown_config_keys(keys: Sequence[str]) -> list[str]:
    """Names configuration keys whose text the installed onnxruntime does not contain.

    An older onnxruntime takes a newer key without an error and without an effect.
    """
    import onnxruntime

    folder = os.path.join(os.path.dirname(onnxruntime.__file__), "capi")
    pending = set(keys)
    libraries = [n for n in sorted(glob.glob(os.path.join(folder, "*"))) if "onnxruntime" in n]
    for name in libraries:
        if pending and os.path.isfile(name) and name.endswith((".so", ".pyd", ".dll", ".dylib")):
            with open(name, "rb") as stream:
                content = stream.read()
            pending = {key for key in pending if key.encode() not in content}
    return sorted(pending)


def measure_models(
    models: Mapping[str, bytes],
    groups: Mapping[str, str],
    quantities: Sequence[Quantity],
    settings: Mapping[str, Any],
    plan: Mapping[str, Any],
    *,
    describe: Sequence[str] = (),
    journal_path: str | None = None,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[int, int, float], None] | None = None,
) -> dict[str, Any]:
    """Measures models on this device and returns a result as plain values.

    Args:
        models: Key -> serialised model.
        groups: Key -> group; see `run_rounds`.
        quantities: See `run_rounds`.
        settings: Plain form of `latency.measurement.settings.SessionSettings`.
        plan: Plain form of `latency.measurement.measure.MeasurePlan`.
        describe: Keys of the models whose optimized operators are wanted.
        journal_path: Finished rounds are kept here; continued when it exists.
        clock: Seconds.
        progress: See `run_rounds`.

    Raises:
        WorkerError: A model does not run, the journal is another session's, or the clock fails.
    """
    host = describe_host()
    job_id = identity_of(models, settings, plan, _plain_quantities(quantities))
    identity = f"{job_id} on {host_fingerprint(host)}"
    started_at = _now()
    with pinned(settings.get("affinity")):
        runners = {}
        for key, data in models.items():
            try:
                runners[key] = model_runner(data, settings, plan["seed"])
            except WorkerError as error:
                raise WorkerError.of_model(key, error) from error
        outcome = run_rounds(
            runners,
            groups,
            quantities,
            plan,
            clock,
            (journal_path, identity) if journal_path else None,
            progress,
            device_state,
        )
        described = {key: describe_model(models[key], settings) for key in describe}
    return {
        "schema_version": JOB_SCHEMA_VERSION,
        "job_id": job_id,
        "host": host,
        "settings": dict(settings),
        "started_at": started_at,
        "finished_at": _now(),
        "described": described,
        "state_after": device_state(),
        **outcome._asdict(),
    }


def _plain_quantities(quantities: Sequence[Quantity]) -> list[dict[str, Any]]:
    return [{"keys": list(q.keys), "weights": list(q.weights)} for q in quantities]


def run_job(folder: str, progress: Callable[[int, int, float], None] | None = None) -> str:
    """Runs `job.json` of a folder, resuming its journal, and returns the result's path.

    One worker at a time; a second one waits and finds the first one's result.

    Raises:
        WorkerError: The job is damaged, or a model cannot be measured.
    """
    path = os.path.join(folder, "result.json")
    with _locked(os.path.join(folder, "worker.lock")):
        job, models = read_job(folder)
        if _has_result(path, job["job_id"]):
            return path
        unknown = unknown_keys(job)
        for key in unknown:
            print(f"warning: {key} is unknown here and has no effect", file=sys.stderr)
        result = measure_models(
            models,
            {entry["key"]: entry["group"] for entry in job["models"]},
            [Quantity(tuple(q["keys"]), tuple(q["weights"])) for q in job["quantities"]],
            job["settings"],
            job["plan"],
            describe=job["describe"],
            journal_path=os.path.join(folder, "journal.jsonl"),
            progress=progress,
        )
        with open(path + ".part", "w", encoding="utf-8") as stream:
            json.dump({**result, "unknown_keys": unknown}, stream, allow_nan=False)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(path + ".part", path)
    return path


def _has_result(path: str, job_id: str) -> bool:
    try:
        with open(path, encoding="utf-8") as stream:
            return bool(json.load(stream).get("job_id") == job_id)
    except (OSError, ValueError, AttributeError):
        return False


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Waits until no other worker is in the folder; the system frees a dead worker's lock."""
    try:
        import fcntl
    except ImportError:  # Windows: nothing starts a second worker there
        yield
        return
    with open(path, "w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


class _Printer:
    """Prints progress for whoever started the worker, at most once a second.

    A reader that has gone away, such as a broken ssh link, must not stop the measurement.
    """

    def __init__(self) -> None:
        self._next = 0.0
        self._gone = False

    def __call__(self, done: int, total: int, seconds_left: float) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 1.0
            self.line(f"progress {done} {total} {seconds_left:.1f}")

    def line(self, text: str) -> None:
        """Prints one line unless nobody reads."""
        if self._gone:
            return
        try:
            print(text, flush=True)
        except OSError:
            self._gone = True
            # Otherwise the interpreter complains about the closed pipe when it exits.
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def main(arguments: Sequence[str]) -> int:
    """Runs the job folder named on the command line."""
    folders = [text for text in arguments if text != "--progress"]
    if len(folders) != 1 or folders[0].startswith("-"):
        print("usage: python worker.py FOLDER [--progress]", file=sys.stderr)
        return 2
    # Said by numpy wherever denormals count as zero, as they do here on purpose.
    warnings.filterwarnings("ignore", message="The value of the smallest subnormal")
    printer = _Printer()
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        path = run_job(folders[0], printer if "--progress" in arguments else None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    printer.line(f"result {path}" if "--progress" in arguments else path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
