"""Sessions of onnxruntime that run where they were asked to run, and what they are fed."""

from __future__ import annotations

import contextlib
import math
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional

import numpy as np

from .errors import LatencyError, WorkerError
from .inputs import Arrays, check_array, draw, is_integer, read_arrays, refuse_unknown
from .settings import CPU_PROVIDER, GRAPH_LEVELS, SessionSettings

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Of all inputs of a model: 89 images of 1000 x 1000 pixels and three channels.
MOST_INPUT_ELEMENTS = 1 << 28

_registered_libraries: set[str] = set()  # onnxruntime refuses to register one twice


def create_session(
    model: bytes,
    settings: SessionSettings,
    optimized_path: str = "",
    record_assignment: bool = False,
) -> Any:
    """Makes an `onnxruntime.InferenceSession` that runs where it was asked to run.

    Args:
        model: A serialised ONNX model.
        settings: Of the session.
        optimized_path: Where onnxruntime writes the graph it really runs; empty for nowhere.
        record_assignment: Keeps which provider took which node, for `node_share`.

    Raises:
        SettingsError: A file, and not the user, names code to be loaded.
        WorkerError: The provider is missing or fell back to the CPU, or the model does not load.
    """
    import onnxruntime

    settings.check_loading()
    provider = settings.provider
    try:
        options = _session_options(onnxruntime, settings)
        if optimized_path:
            options.optimized_model_filepath = optimized_path
        if record_assignment:
            options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        arguments = _provider_arguments(onnxruntime, options, settings)
        session = onnxruntime.InferenceSession(model, options, **arguments)
    except LatencyError:
        raise
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise WorkerError(
            f"an ONNX model that {provider} runs",
            (str(error).splitlines() or [repr(error)])[0],
            "check the file with onnx.checker, its opset against this onnxruntime, and the values "
            "of --config and --provider_option",
        ) from error
    if session.get_providers()[0] != provider:
        raise WorkerError(
            f"a session on {provider}",
            f"a silent fallback to {session.get_providers()[0]}",
            "repair the provider's libraries, or ask for the CPU by name",
        )
    return session


def _session_options(onnxruntime: Any, settings: SessionSettings) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = settings.intra_op_num_threads
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    level = GRAPH_LEVELS[settings.graph_level]
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    for key, value in config_entries(settings).items():
        options.add_session_config_entry(key, value)
    return options


def config_entries(settings: SessionSettings) -> dict[str, str]:
    """Returns every configuration key and value that a session of these settings gets."""
    entries = {
        "session.intra_op.allow_spinning": str(int(settings.allow_spinning)),
        "session.set_denormal_as_zero": str(int(settings.set_denormal_as_zero)),
    }
    # onnxruntime refuses the session when the CPU itself was asked for and may not be used.
    if settings.provider != CPU_PROVIDER:
        entries["session.disable_cpu_ep_fallback"] = "1"
    entries.update(settings.config_entries)
    return entries


def _provider_arguments(
    onnxruntime: Any, options: Any, settings: SessionSettings
) -> dict[str, Any]:
    """Checks that the provider is there and returns the session's arguments that select it."""
    provider, library = settings.provider, settings.provider_library
    provider_options = dict(settings.provider_options)
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
    library = os.path.abspath(library)  # a relative one is looked for beside onnxruntime itself
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


def random_inputs(
    session: Any, seed: int, given: Optional[Arrays] = None, integer: Optional[int] = None
) -> dict[str, np.ndarray]:
    """Makes one non-zero input for every input of a session.

    Args:
        session: Of onnxruntime.
        seed: Of the drawn values.
        given: Input name -> a user's own array; the others are drawn.
        integer: Every value of the integer inputs; None to draw them.

    Raises:
        WorkerError: An input has a dynamic shape, is too large or cannot be drawn, or an array does
            not fit.
    """
    rng = np.random.default_rng(seed)
    given, feeds, elements = given or {}, {}, 0
    refuse_unknown(given, [tensor.name for tensor in session.get_inputs()])
    for tensor in session.get_inputs():
        if tensor.name in given:
            feeds[tensor.name] = check_array(given[tensor.name], tensor)
            continue
        shape = tensor.shape
        if not all(isinstance(size, int) and size > 0 for size in shape):
            raise WorkerError(
                "inputs of fixed shape",
                f"input {tensor.name!r} of shape {shape}",
                "export the model with a fixed batch and image size",
            )
        elements += math.prod(shape)
        if elements > MOST_INPUT_ELEMENTS:
            raise WorkerError(
                f"inputs of at most {MOST_INPUT_ELEMENTS} elements in all",
                f"{elements} up to input {tensor.name!r} of shape {shape}",
                "export the model with a smaller batch or image size",
            )
        feeds[tensor.name] = draw(rng, tensor.name, tensor.type, shape, integer)
    return feeds


def run_checked(run: Callable[[], Any], of_model: str = "") -> Any:
    """Runs a model and returns its outputs.

    Args:
        run: Runs it.
        of_model: Words that name it in the message.

    Raises:
        WorkerError: It cannot run, such as for an index out of range.
    """
    try:
        return run()
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise WorkerError(
            f"a model that runs{of_model}",
            (str(error).splitlines() or [repr(error)])[0],
            "check the model, or measure it with arrays that it takes: --input FILE.npz",
        ) from error


class ModelRunner:
    """Runs one model; a call is a run.

    Floats are drawn once. Integers may be ids, of which each has a place of its own in memory:
    they are drawn anew for each visit, so that no reading rests on one choice of places.

    Several threads: idle sessions' threads would spin against the one that is timed, so the
    session lives from the first run of a visit to its end. With one thread it stays loaded.

    Args:
        model: A serialised model.
        settings: Of the session.
        seed: Of drawn inputs.
        inputs: An .npz file of a user's own arrays, by input name; empty to draw all of them.
        key: The model's, for messages.
    """

    def __init__(
        self, model: bytes, settings: SessionSettings, seed: int, inputs: bytes = b"", key: str = ""
    ) -> None:
        self._model, self._settings, self._seed, self._key = model, settings, seed, key
        self._one_at_a_time = settings.intra_op_num_threads > 1
        self._given = read_arrays(inputs)
        self._rng = np.random.default_rng([seed, 1])
        self._feeds: dict[str, np.ndarray] = {}
        self._types: dict[str, str] = {}
        self._run: Callable[[], Any] | None = self._load()
        self.end_visit()

    def _load(self) -> Callable[[], Any]:
        session = create_session(self._model, self._settings)
        if not self._feeds:
            self._feeds = random_inputs(session, self._seed, self._given)
            self._types = {tensor.name: tensor.type for tensor in session.get_inputs()}
        feeds = self._feeds
        names = [output.name for output in session.get_outputs()]

        def run() -> Any:
            return session.run(names, feeds)

        if self._one_at_a_time:
            run_checked(run)  # allocates, which no timed run may
        return run

    def __call__(self) -> Any:
        """Runs the model once and returns its outputs.

        Raises:
            WorkerError: It cannot run, such as for an index out of range.
        """
        if self._run is None:
            self._run = self._load()
        return run_checked(self._run, f" for model {self._key!r}" if self._key else "")

    def end_visit(self) -> None:
        """Draws integers anew, and lets the session go where several would disturb each other."""
        for name, array in self._feeds.items():
            if is_integer(array) and name not in self._given:
                self._feeds[name] = draw(self._rng, name, self._types[name], array.shape)
        if self._one_at_a_time:
            self._run = None


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
